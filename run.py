#!/usr/bin/env python3
"""Callboard's stage door: the command line, and nothing else (`actors/commands.py`, which Python
keeps compiled; a script is compiled at each start)."""

from actors.commands import main

if __name__ == "__main__":
    main(prog_name="run.py")
