"""Acting at the doors, for the tests of what goes wrong.

Requests over the bus and waiting for facts, without a new process for every look.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bus import connection
from bus.client import Client
from tests.doors.kit import AGENT, PYTHON, Home

Row = dict[str, Any]


class Acting:
    """A served home and what a test does there. `workflow` is `demo`, as in every plan."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def call(self, type: str, **fields: Any) -> Any:
        """The result of one request. Raises `Refused`."""
        with Client(connection.read(self.home.path).requests) as client:
            return client.call(type, **fields)

    def row(self) -> Row:
        return self.home.row()

    def begin_later(self, plan: str) -> None:
        """Submit a plan."""
        path = self.home.path.parent / "plan.toml"
        path.write_text(plan)
        self.call("plan.submit", plan=plan, base=str(path.parent))

    def begin(self, plan: str) -> None:
        """Submit, prepare and start a plan."""
        self.begin_later(plan)
        self.call("workflow.prepare", workflow="demo")
        self.until(lambda row: row["status"] == "ready")
        self.call("workflow.start", workflow="demo")

    def until(self, is_true: Callable[[Row], Any], timeout: float = 60) -> Row:
        """The workflow's row once `is_true(row)`; looked at after every fact."""
        return self.home.until(is_true, timeout=timeout)

    def status(self, *wanted: str, timeout: float = 60) -> Row:
        """The row once the workflow is one of `wanted`."""
        return self.until(lambda row: row["status"] in wanted, timeout)

    def fact(self, type: str, number: int = 1, timeout: float = 60) -> Row:
        """The fact of this type that comes as the `number`th, waited for."""
        found: list[Row] = []

        def there(_: Row) -> bool:
            found[:] = self.facts(type)
            return len(found) >= number

        self.until(there, timeout)
        return found[number - 1]

    def facts(self, *types: str) -> list[Row]:
        found = self.call("events.replay", address="demo/", limit=10_000)["facts"]
        return [fact for fact in found if not types or fact["type"] in types]

    def again(self, _kill: bool = True) -> None:
        """Another runtime on the same home; the one before is killed."""
        self.home.kill()
        self.home.serve()


def task(row: Row, id: str) -> Row:
    found: Row = next(each for each in row["tasks"] if each["id"] == id)
    return found


def terminal(row: Row, where: str) -> Row:
    """The terminal `a/1` of the workflow; `merge` is the merge terminal."""
    if where == "merge":
        merge: Row = row["merge_terminal"]
        return merge
    id, _, name = where.partition("/")
    found: Row = next(
        each for each in task(row, id)["terminals"] if each["address"] == f"demo/{id}/{name}/"
    )
    return found


def cli(name: str, lines: str = "", **more: Any) -> str:
    """A `[cli.NAME]` that carries out `lines` at every instruction."""
    command = [PYTHON, str(AGENT), *(["--do", lines] if lines else [])]
    keys = {"command": command, "ready": "^> $", "busy": "esc to interrupt", **more}
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    return f"[cli.{name}]\n{text}\n"


def helper(table: str, lines: str, **more: Any) -> str:
    """`[error]` or `[merge]` with a program that carries out `lines`."""
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    return f'[{table}]\ncli = "{table}er"\n{keys}' + cli(f"{table}er", lines)


def say(message: str, body: str = "") -> str:
    """A line that commits everything with this message.

    Where the branch would have no change at all, which completes nothing, it makes one.
    """
    extra = f" -m '{body}'" if body else ""
    made = 'f="said-$(basename "$PWD")"; echo said > "$f" && git add "$f"'
    change = f"if git diff --cached --quiet main 2>/dev/null; then {made}; fi"
    return f"$ git add -A; {change}; git commit -q --allow-empty -m '{message}'{extra}\n"


def once(flag: Path, first: str, later: str) -> str:
    """One shell line: `first` the first time, `later` from then on."""
    return f"$ if test -e {flag}; then {later}; else touch {flag}; {first}; fi\n"
