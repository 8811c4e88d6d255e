"""What `serve` prints."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from actors.command_line.actions import PROGRAM, command
from actors.command_line.exits import at_home
from bus.action import Action


class PrintedReport:
    """Prints what happens to the runtime. A closed terminal window is no error."""

    def started(self, home: Path, url: str) -> None:
        """Print that the runtime serves the home, how to end it, and the URL of the web door."""
        print(f"callboard serves {home} (pid {os.getpid()}); Ctrl-C ends it", flush=True)
        if url:
            print(f"HTTP: {url} (the token is in {home / 'connection.json'})", flush=True)

    def failed(self, home: Path, message: str, actions: Sequence[Action] = ()) -> None:
        """Print the error, and a command for each action."""
        print(f"error: {message}", file=sys.stderr)
        for action in actions:
            print(f"help: {command(action, str(home))}", file=sys.stderr)

    def stopped(self, home: Path, terminals: int) -> None:
        """Print that the runtime has stopped, and how to go on if terminals do."""
        with suppress(OSError):
            if terminals:
                print(f"stopped; {terminals} terminals go on: {PROGRAM} serve{at_home(home)}")
                print(f"to end them too: {PROGRAM} down --terminals{at_home(home)}")
            else:
                print("stopped; no terminal is left running")
