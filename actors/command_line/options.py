"""What the commands of the stage door share: the home they mean, the runtime they ask, what they
print. Imports stand inside the functions, so that `run.py --help` is quick.
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from actors.command_line.exits import FAILED, USAGE, Stop, as_stop
from actors.command_line.printing import print_rich, say, say_json
from actors.command_line.program import command

if TYPE_CHECKING:
    from pathlib import Path

    from bus.client import Client
    from bus.requests import Request

R = TypeVar("R")


class Door(click.Group):
    """Turns the program's refusals into exit codes; without a command it serves."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **more: Any,
    ) -> click.Context:
        return super().make_context(info_name, args, parent, **{"terminal_width": width(), **more})

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Stop as stop:
            raise stop.spelled() from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # who read our output has gone: click ends without a word
        except KeyboardInterrupt:
            raise Stop("interrupted; what runs goes on", FAILED, command("ps")) from None
        except Exception as error:
            raise as_stop(error).spelled() from error


def width() -> int:
    """Of a help text: click's own rule, for which it would import `shutil` (3 ms of 45)."""
    try:
        columns = int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size(1).columns
    except (ValueError, OSError):
        columns = 80
    return max(min(columns, 80) - 2, 50)


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--home` may stand after the command too; the nearer one counts."""

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
        if value:
            ctx.find_root().obj = value
        return value

    return click.option("--home", metavar="DIR", callback=keep, expose_value=False)(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def home() -> "Path":
    from bus.connection import home_from

    return home_from(click.get_current_context().find_root().obj)


def client() -> "Client":
    from bus.client import Client
    from bus.connection import is_held, read

    return Client(read(home()).requests, serves=lambda: is_held(home()))


def ask(request: "Request[R]") -> "R":
    """Ask the runtime of the home. Raises `Refused`, `NoRuntime`, `NoAnswer`."""
    with client() as door:
        return door.ask(request)


def show(result: Any, as_json: bool, text: Callable[[Any], Any]) -> None:
    if as_json:
        say_json(result, pretty=True)
        return
    said = text(result)
    if isinstance(said, str):
        say(said)
    else:
        print_rich(said)


def read_plan(plan: str) -> dict[str, str]:
    """The plan file as a request's fields; `-` is standard input."""
    from pathlib import Path

    path = Path(plan)
    try:
        text = sys.stdin.read() if plan == "-" else path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{plan}: the plan cannot be read: {error}", USAGE) from error
    base = Path.cwd() if plan == "-" else path.resolve().parent
    return {"plan": text, "base": str(base)}


def with_repo(fields: dict[str, Any], repo: str | None) -> dict[str, Any]:
    if repo is None:
        return fields
    from pathlib import Path

    from bus import toml

    try:
        decoded = toml.loads(fields["plan"])
    except toml.TomlError:
        return fields
    return {**fields, "plan": {**decoded, "repo": str(Path(repo).resolve())}}


def own_environment() -> dict[str, Any]:
    """What `plan.submit` is told of this process's environment."""
    import secrets

    from bus.environment import digests

    salt = secrets.token_hex(16)
    return {"environment": digests(salt), "salt": salt}
