"""The attackers work at the doors: the same homes and repositories as there."""
