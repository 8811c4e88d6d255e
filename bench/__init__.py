"""Measurements of Callboard against the parts it is built on.

Run them with `python -m bench`; see docs/speed.md.
"""
