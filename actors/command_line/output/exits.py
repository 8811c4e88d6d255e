"""The exit codes of commands, and errors as people read them.

Imports are inside the functions, so that `run.py --help` is quick.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from actors.command_line.output.printing import say

if TYPE_CHECKING:
    from bus.action import Action

DONE, FAILED, USAGE, NO_RUNTIME, REFUSED = range(5)


class Stop(click.ClickException):
    """An error for people: what happened, where, and what helps.

    `help` is printed as it is. `actions` are steps of Callboard and are printed as commands.
    """

    def __init__(
        self, message: str, code: int = FAILED, help: str = "", actions: "Sequence[Action]" = ()
    ) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]
        self.help = help
        self._actions = actions
        self._commands: list[str] = []

    def spelled(self) -> "Stop":
        """Spell the actions as commands and return self.

        Call it inside the click context, which knows how the program was started.
        """
        if self._actions:
            from actors.command_line.output.actions import command_for

            self._commands = [command_for(action) for action in self._actions]
        return self

    def show(self, _file: Any = None) -> None:
        """Print the error and what helps to standard error."""
        say(f"error: {self.message}", err=True)
        for help in [*([self.help] if self.help else []), *self._commands]:
            say(f"help: {help}", err=True)


def _is_nowhere() -> bool:
    """Return whether the working directory was removed: then no relative path leads anywhere."""
    try:
        os.getcwd()  # noqa: PTH109 - `pathlib` costs 5 ms
    except FileNotFoundError:
        return True
    return False


def as_stop(error: Exception) -> Stop:
    """Return the `Stop` for a known error; raise any other error again."""
    from bus.action import Action, Do
    from bus.client import NoAnswer
    from bus.connection import NoRuntime
    from bus.errors import Refused, in_words
    from bus.user import NoHomeDirectory

    match error:
        case Refused(body=body):
            codes = {422: USAGE, 404: USAGE}
            codes |= dict.fromkeys((400, 403, 409, 429), REFUSED)
            code = codes.get(body.code, NO_RUNTIME if body.code == 503 else FAILED)
            return Stop(str(error), code, body.help, body.actions)
        case NoRuntime():
            return Stop(str(error), NO_RUNTIME, actions=[Action(Do.SERVE)])
        case NoAnswer():
            return Stop(str(error), NO_RUNTIME, actions=[Action(Do.DOCTOR)])
        case NoHomeDirectory():
            return Stop(str(error), USAGE, "or name the directory: --home DIR")
        case FileNotFoundError() if _is_nowhere():
            return Stop("the directory in which this runs was removed", USAGE, "cd")
        case OSError():
            return Stop(in_words(error), NO_RUNTIME)
        case RuntimeError(args=("can't start new thread",)):
            return Stop(
                "no thread can be started: too many run, or memory is short; `ulimit -u` and"
                " `ulimit -v` show the limits of this shell",
                NO_RUNTIME,
            )
    raise error
