"""Commands that read and change nothing: `ps`, `tree`, `why`, `events`, `diff`."""

import click

from actors.command_line.entry import main
from actors.command_line.options import ask, client, home, home_option, json_option, show


@main.command()
@click.argument("workflow", required=False)
@click.option(
    "--all",
    "whole",
    is_flag=True,
    help="Also those that ended more than a day ago, and every task.",
)
@json_option
@home_option
def ps(workflow: str | None, whole: bool, as_json: bool) -> None:
    """List the workflows; show first what waits for a person."""
    from actors.command_line.client.asking import questions, recent, since
    from actors.command_line.views import tables
    from bus.requests import WorkflowGet, WorkflowList

    with client() as door:
        if workflow is None:
            found = door.ask(WorkflowList())
        else:
            found = [door.ask(WorkflowGet(workflow=workflow))]
        shown = found if whole or as_json or workflow else recent(door, found)
        asked = {} if as_json else questions(door, shown)
        waiting = [] if as_json else tables.waiting(shown, asked)
        began = since(door, {where for where, _ in waiting}) if len(waiting) > 1 else {}
    hidden = len(found) - len(shown)
    waiting.sort(key=lambda each: began.get(each[0], "unknown"))  # what is unknown comes last
    told, every = [wait for _, wait in waiting], whole or bool(workflow)
    show(shown, as_json, lambda rows: tables.ps(rows, told, hidden, whole=every))


@main.command()
@json_option
@home_option
def tree(as_json: bool) -> None:
    """Show the supervision tree."""
    from actors.command_line.views import tables
    from bus.requests import TreeInspect

    show(ask(TreeInspect()), as_json, tables.tree)


@main.command()
@click.argument("address")
@json_option
@home_option
def why(address: str, as_json: bool) -> None:
    """Show the facts behind a status, newest first."""
    from actors.command_line.views import tables
    from bus.requests import Why

    show(ask(Why(address=address)), as_json, tables.why)


@main.command()
@click.argument("address", required=False, default="")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only facts after this seq.")
@click.option("--follow", is_flag=True, help="Go on with those that come.")
@click.option("--type", "types", multiple=True, help="Only facts of this type.")
@json_option
@home_option
def events(address: str, after: int, follow: bool, types: tuple[str, ...], as_json: bool) -> None:
    """Print every fact, in order."""
    from actors.command_line.client.events import print_events

    print_events(home(), address, after, follow, types, as_json)


@main.command()
@click.argument("task")
@click.option("--stat", is_flag=True, help="Only the files, and their lines added and removed.")
@json_option
@home_option
def diff(task: str, stat: bool, as_json: bool) -> None:
    """Show what a task's branch changes against its base, committed or not."""
    from actors.command_line.views import tables
    from bus.requests import TaskDiff

    show(ask(TaskDiff(task=task, stat=stat)), as_json, tables.diff)


@main.command()
@click.argument("address", required=False, default="")
@json_option
@home_option
def usage(address: str, as_json: bool) -> None:
    """Show the tokens, requests and cost of an address, or of all."""
    from actors.command_line.usage import usage as table
    from bus.requests import Usage

    show(ask(Usage(address=address)), as_json, table)
