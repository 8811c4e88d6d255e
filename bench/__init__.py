"""How near Callboard is to the parts it stands on. `python -m bench`; see docs/speed.md."""
