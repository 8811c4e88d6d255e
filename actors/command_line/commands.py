"""All commands of the command line, gathered in one group.

Every command says what it did and exits 0 (done), 1 (the thing asked for failed), 2 (wrong
usage or plan), 3 (no runtime, or the home is busy) or 4 (refused in this state). With `--json`
it prints one JSON document. Imports stand inside the commands, so that `--help` is quick; of
the standard library, too, what click has not imported (`pathlib` costs 5 ms).
"""

from actors.command_line import (
    reading_commands,
    runtime_commands,
    terminal_commands,
    workflow_commands,
)
from actors.command_line.entry import main

__all__ = ["main", "reading_commands", "runtime_commands", "terminal_commands", "workflow_commands"]
