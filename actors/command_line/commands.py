"""All commands of the command line, in one group.

Every command prints what it did and exits with 0 (done), 1 (what was asked for failed), 2 (wrong
usage or plan), 3 (no runtime, or the home is busy) or 4 (refused in this state). With `--json` it
prints one JSON document. Imports are inside the commands, so that `--help` is quick. This holds for
modules of the standard library too, if click has not imported them (`pathlib` costs 5 ms).
"""

from actors.command_line import (
    cleaning_commands,
    cli_commands,
    config_commands,
    key_commands,
    orchestrator_commands,
    plan_commands,
    reading_commands,
    runtime_commands,
    terminal_commands,
    trust_commands,
    workflow_commands,
)
from actors.command_line.entry import main

__all__ = [
    "cleaning_commands",
    "cli_commands",
    "config_commands",
    "key_commands",
    "main",
    "orchestrator_commands",
    "plan_commands",
    "reading_commands",
    "runtime_commands",
    "terminal_commands",
    "trust_commands",
    "workflow_commands",
]
