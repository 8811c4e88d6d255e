"""Print what happens to the runtime, for the command `serve`."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from actors.command_line.output.actions import command_for
from actors.command_line.output.printing import say
from actors.command_line.output.program import command
from bus.action import Action

_TO_TYPE = (
    (("up", "PLAN"), "in another window: run a plan"),
    (("ps",), "what runs, and what waits for you"),
    (("events", "--follow"), "everything that happens"),
)


class PrintedReport:
    """Prints what happens to the runtime. A terminal window closed before the end is no error."""

    def started(self, home: Path, url: str, tcp: tuple[str, str] | None) -> None:
        """Print that the runtime serves the home, how to end it, and where its doors are.

        On a terminal, also print commands to type in another window.
        """
        say(f"callboard serves {home} (pid {os.getpid()}); Ctrl-C ends it")
        if url:
            say(f"HTTP: {url} (the token is in {home / 'connection.json'})")
        if tcp:
            say(f"TCP: requests at {tcp[0]}, feed at {tcp[1]} (clients: {command('keys')})")
        if sys.stdout.isatty():
            for words, about in _TO_TYPE:
                say(f"  {command(*words)}   # {about}")

    def failed(self, _home: Path, message: str, actions: Sequence[Action] = ()) -> None:
        """Print the error, and a command for each action."""
        say(f"error: {message}", err=True)
        for action in actions:
            say(f"help: {command_for(action)}", err=True)

    def stopped(self, _home: Path, terminals: int) -> None:
        """Print that the runtime has stopped, and how to go on if terminals do."""
        with suppress(OSError):
            if terminals:
                say(f"stopped; {terminals} terminals go on: {command('serve')}")
                say(f"to end them too: {command('down', '--terminals')}")
            else:
                say("stopped; no terminal is left running")
