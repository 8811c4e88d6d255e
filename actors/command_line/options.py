"""What the commands share: finding the home, asking the runtime, printing the result.

Imports are inside the functions, so that `run.py --help` is quick.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from actors.command_line.output.exits import FAILED, USAGE, Stop, as_stop
from actors.command_line.output.printing import print_rich, say, say_json
from actors.command_line.output.program import command, note_plan

if TYPE_CHECKING:
    from pathlib import Path

    from bus.client import Client
    from bus.request_base import Request

R = TypeVar("R")


class Door(click.Group):
    """The group of all commands. It turns errors into messages and exit codes."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **more: Any,
    ) -> click.Context:
        """Make the context, with the width of help texts set."""
        more = {"terminal_width": width(), **more}
        with _in_visible_words():
            return super().make_context(info_name, args, parent, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raise `Stop` for an error that people are to read."""
        try:
            with _in_visible_words():
                return super().invoke(ctx)
        except Stop as stop:
            raise stop.spelled() from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click handles these; a broken pipe ends in silence
        except KeyboardInterrupt:
            raise Stop("interrupted; what runs goes on", FAILED, command("ps")) from None
        except Exception as error:
            raise as_stop(error).spelled() from error


@contextlib.contextmanager
def _in_visible_words() -> Iterator[None]:
    """Make an error of click printable: it quotes arguments, such as a file's name."""
    try:
        yield
    except click.UsageError as error:
        from bus.visible import visible

        error.message = visible(error.message)  # type: ignore[misc]
        raise


def width() -> int:
    """Return the width of help texts.

    This follows click's own rule. Click would import `shutil` for it, which costs 3 ms of 45.
    """
    try:
        columns = int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size(1).columns
    except (ValueError, OSError):
        columns = 80
    return max(min(columns, 80) - 2, 50)


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let `--home` be given after the command too; that one overrides the one before it."""

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
        if value:
            ctx.find_root().obj = value
        return value

    return click.option("--home", metavar="DIR", callback=keep, expose_value=False)(command)


PLAN_FILE = "callboard.toml"
"""The plan in the current directory; `init` writes it."""
plan_argument = click.argument("plan", metavar="[PLAN]", default=PLAN_FILE)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def home() -> "Path":
    """Return the home that this command acts on."""
    from bus.connection import home_from

    return home_from(click.get_current_context().find_root().obj)


def client() -> "Client":
    """Return a client of the home's runtime. Raise `NoRuntime` if there is none."""
    from bus.client import Client
    from bus.connection import is_held, read

    return Client(read(home()).requests, serves=lambda: is_held(home()))


def ask(request: "Request[R]") -> "R":
    """Ask the runtime of the home; return its result.

    Raise `Refused`, `NoRuntime` or `NoAnswer`.
    """
    with client() as door:
        return door.ask(request)


def show(result: Any, as_json: bool, text: Callable[[Any], Any]) -> None:
    """Print a result as JSON, or as the text or renderable that `text` makes of it."""
    if as_json:
        say_json(result, pretty=True)
        return
    said = text(result)
    if isinstance(said, str):
        say(said)
    else:
        print_rich(said)


def read_plan(plan: str) -> dict[str, str]:
    """Read a plan file and return it as a request's fields; `-` is standard input.

    Raise `Stop` if it cannot be read.
    """
    from pathlib import Path

    note_plan(plan)
    path = Path(plan)
    try:
        text = sys.stdin.read() if plan == "-" else path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        helps = command("init") if plan == PLAN_FILE and not path.exists() else ""
        raise Stop(f"{plan}: the plan cannot be read: {error}", USAGE, helps) from error
    base = Path.cwd() if plan == "-" else path.resolve().parent
    return {"plan": text, "base": str(base)}


def with_repo(fields: dict[str, Any], repo: str | None) -> dict[str, Any]:
    """Return the fields of a plan with its repository replaced by `repo`, if given."""
    if repo is None:
        return fields
    from pathlib import Path

    from bus import toml

    note_plan("--repo", repo)
    try:
        decoded = toml.loads(fields["plan"])
    except toml.TomlError:
        return fields
    return {**fields, "plan": {**decoded, "repo": str(Path(repo).resolve())}}


def own_environment() -> dict[str, Any]:
    """Return the fields of `plan.submit` that describe this process's environment."""
    import secrets

    from bus.environment import chosen, digests

    salt = secrets.token_hex(16)
    return {"environment": digests(salt), "salt": salt, "variables": chosen()}
