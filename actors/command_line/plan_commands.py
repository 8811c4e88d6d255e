"""Commands that change the plan of a workflow while it runs, and show it as it is now.

Each is named as its request: `task add` sends `task.add`.
"""

from typing import Any

import click

from actors.command_line.entry import main
from actors.command_line.options import ask, home_option, json_option, read_plan, show
from actors.command_line.output.exits import USAGE, Stop
from actors.command_line.workflow_commands import finish


@main.group()
def plan() -> None:
    """Show the plan of a workflow as it is now, and set keys of it."""


@main.group()
def task() -> None:
    """Add tasks to a workflow, and change their order (`stop TASK` gives one up)."""


@main.group()
def terminal() -> None:
    """Add terminals to a task."""


@main.group()
def instruction() -> None:
    """Replace an instruction that was not sent yet."""


@plan.command("show")
@click.argument("workflow")
@json_option
@home_option
def show_plan(workflow: str, as_json: bool) -> None:
    """Print the plan as it is now, as the text of a plan file."""
    from bus.plan_requests import PlanShow

    show(ask(PlanShow(workflow=workflow)), as_json, lambda found: found.toml.rstrip("\n"))


_LIMITS = ("tokens", "cost", "hard", "memory")
"""Options of `plan set` that are keys of `[limits]`."""


@plan.command("set")
@click.argument("workflow")
@click.option("--max-terminals", type=int, help="How many terminals run at once.")
@click.option("--max-review-rounds", type=int, help="How often work is sent back.")
@click.option("--test", metavar="COMMAND", help="The command that tests the merged tree.")
@click.option("--test-timeout", type=float, help="Its time limit in seconds.")
@click.option("--test-retries", type=int, help="How often failed tests are run again.")
@click.option("--tokens", type=int, help="Limit: what the workflow may use before it pauses.")
@click.option("--cost", type=float, help="Limit: the same in money.")
@click.option("--hard/--no-hard", default=None, help="Limit: stop the programs, too.")
@click.option("--memory", metavar="SIZE", help="Limit: what its programs may take (20GiB).")
@json_option
@home_option
def set_plan(workflow: str, as_json: bool, test: str | None, **keys: Any) -> None:
    """Set keys of the plan; what is not given stays as it is."""
    import shlex

    from bus.plan_requests import PlanSet, PlanShow

    if test is not None:
        try:
            keys["test"] = shlex.split(test)
        except ValueError as error:
            raise Stop(f"--test: {error}", USAGE) from error
    given = {name: value for name, value in keys.items() if value is not None}
    if not given:
        raise Stop("there is nothing to set; see --help", USAGE)
    limits = {name: given.pop(name) for name in _LIMITS if name in given}
    if limits:
        given["limits"] = ask(PlanShow(workflow=workflow)).plan.get("limits", {}) | limits
    finish(PlanSet(workflow=workflow, **given), as_json)


@task.command("add")
@click.argument("workflow")
@click.argument("file")
@json_option
@home_option
def add_task(workflow: str, file: str, as_json: bool) -> None:
    """Add each `[[task]]` of a file to a workflow; `-` is standard input."""
    from bus.plan_requests import TaskAdd

    base, (*others, last) = _tables(file, "task")
    for each in others:
        ask(TaskAdd(workflow=workflow, task=each, base=base))
    finish(TaskAdd(workflow=workflow, task=last, base=base), as_json, about=str(last.get("id", "")))


@task.command("move")
@click.argument("task")
@click.argument("position", type=int)
@json_option
@home_option
def move_task(task: str, position: int, as_json: bool) -> None:
    """Give a task another place (1 is the first) in the order of launching and merging."""
    from bus.plan_requests import TaskMove

    finish(TaskMove(task=task, position=position), as_json)


@terminal.command("add")
@click.argument("task")
@click.argument("file")
@json_option
@home_option
def add_terminal(task: str, file: str, as_json: bool) -> None:
    """Add each `[[terminal]]` of a file after the last terminal of a task."""
    from bus.plan_requests import TerminalAdd

    base, (*others, last) = _tables(file, "terminal")
    for each in others:
        ask(TerminalAdd(task=task, terminal=each, base=base))
    finish(TerminalAdd(task=task, terminal=last, base=base), as_json)


@instruction.command("replace")
@click.argument("terminal")
@click.argument("text")
@json_option
@home_option
def replace_instruction(terminal: str, text: str, as_json: bool) -> None:
    """Give a terminal that has not begun another instruction; `-` is standard input."""
    import sys

    from bus.plan_requests import InstructionReplace

    text = sys.stdin.read() if text == "-" else text
    finish(InstructionReplace(terminal=terminal, instruction=text), as_json)


def _tables(file: str, name: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the directory of a TOML file, and its tables `[[NAME]]`.

    Raise `Stop` if it holds anything else.
    """
    from bus import toml

    fields = read_plan(file)
    try:
        raw = toml.loads(fields["plan"])
    except toml.TomlError as error:
        raise Stop(f"{file}: not TOML: {error}", USAGE) from error
    found = raw.get(name)
    if set(raw) != {name} or not isinstance(found, list) or not found:
        raise Stop(f"{file}: must hold [[{name}]] and nothing else", USAGE)
    return fields["base"], found
