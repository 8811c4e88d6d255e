"""AI coding CLIs: their profiles as data, their config homes, their screens."""
