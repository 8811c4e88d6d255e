"""How a command ends: its exit code, and an error as people read it.

Imports stand inside `as_stop`, so that `run.py --help` is quick.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bus.action import Action

DONE, FAILED, USAGE, NO_RUNTIME, REFUSED = range(5)


class Stop(click.ClickException):
    """An error for people: what happened, where, and the commands that help. `help` is advice
    as it is printed; `actions` are steps of Callboard, which are printed as commands."""

    def __init__(
        self, message: str, code: int = FAILED, help: str = "", actions: "Sequence[Action]" = ()
    ) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]
        self.help = help
        self.actions = actions
        self.home: str | None = None

    def at(self, home: str | None) -> "Stop":
        """Add `--home` to the commands that help, if the user named a home."""
        self.home = home
        if home and self.help.startswith("python run.py ") and not set(self.help) & set("(,;"):
            self.help += at_home(home)
        return self

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {self.message}", err=True)
        if self.help:
            click.echo(f"help: {self.help}", err=True)
        if self.actions:
            from actors.command_line.actions import command

            for action in self.actions:
                click.echo(f"help: {command(action, self.home)}", err=True)


def at_home(home: object) -> str:
    """The option for a command that is shown, to be copied into a shell as it stands."""
    import shlex

    return f" --home {shlex.quote(str(home))}"


def as_stop(error: Exception) -> Stop:
    from bus.client import NoAnswer
    from bus.connection import NoRuntime
    from bus.errors import Refused

    match error:
        case Refused(body=body):
            codes = {422: USAGE, 404: USAGE}
            codes |= dict.fromkeys((400, 403, 409, 429), REFUSED)
            code = codes.get(body.code, NO_RUNTIME if body.code == 503 else FAILED)
            return Stop(str(error), code, body.help, body.actions)
        case NoRuntime():
            return Stop(str(error), NO_RUNTIME, "python run.py serve")
        case NoAnswer():
            return Stop(str(error), NO_RUNTIME, "python run.py doctor")
        case OSError():
            return Stop(str(error), NO_RUNTIME)
    raise error
