#!/usr/bin/env python3
"""Callboard's stage door: the command line, and nothing else
(`actors/command_line/commands.py`, which Python keeps compiled; a script is compiled at each
start).
"""

import gc

gc.disable()  # what is imported stays: there is nothing to collect yet

from actors.command_line.commands import main  # noqa: E402
from actors.command_line.program import started_as  # noqa: E402

gc.enable()

if __name__ == "__main__":
    main(prog_name=started_as())
