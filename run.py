#!/usr/bin/env python3
"""Callboard's stage door: the command line, and nothing else
(`actors/command_line/commands.py`, which Python keeps compiled; a script is compiled at each
start).
"""

import gc

gc.disable()  # what is imported stays: there is nothing to collect yet

from actors.command_line import streams  # noqa: E402
from actors.command_line.commands import main  # noqa: E402
from actors.command_line.program import installed_as, started_as  # noqa: E402

gc.enable()


def start(installed: bool = False) -> None:
    """Run the command line under the name that it was started with: as this script or a module,
    or as the `installed` command. Ends the process."""
    name = installed_as() if installed else started_as()
    streams.secure()
    try:
        main(prog_name=name, complete_var="_CALLBOARD_COMPLETE")
    except SystemExit as end:
        raise SystemExit(streams.finish(end.code)) from None


if __name__ == "__main__":
    start()
