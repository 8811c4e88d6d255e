#!/usr/bin/env python3
"""The entry of Callboard's command line.

The commands are in `actors/command_line/`, which Python keeps compiled; it compiles a script anew
at each start.
"""

import gc
import os
import sys

gc.disable()  # what is imported stays: there is nothing to collect yet
if sys.flags.safe_path:  # then Python has not put the script's directory there
    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120

from actors.command_line.commands import main  # noqa: E402
from actors.command_line.output import signals, streams  # noqa: E402
from actors.command_line.output.program import installed_as, started_as  # noqa: E402

gc.enable()


def start(installed: bool = False) -> None:
    """Run the command line, then end the process.

    It gets the name that it was started with: this script, a module, or the `installed` command.
    """
    name = installed_as() if installed else started_as()
    streams.secure()
    signals.secure()
    try:
        main(prog_name=name, complete_var="_CALLBOARD_COMPLETE")
    except SystemExit as end:
        raise SystemExit(streams.finish(end.code)) from None


if __name__ == "__main__":
    start()
