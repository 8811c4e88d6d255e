"""Commands that change a plan or a workflow: `up`, `start`, `approve` and others."""

import sys
from typing import TYPE_CHECKING

import click

from actors.command_line.entry import main
from actors.command_line.options import (
    ask,
    home,
    home_option,
    json_option,
    plan_argument,
    read_plan,
    show,
    with_repo,
)
from actors.command_line.output.exits import FAILED, USAGE, Stop
from actors.command_line.output.printing import say
from actors.command_line.output.program import command

if TYPE_CHECKING:
    from bus.requests import Command
    from bus.rows import Workflow


_AT_WORK = ("running", "merging")

again_option = click.option(
    "--again", is_flag=True, help="Run it anew: take its branches over, or give them a number."
)


@main.command()
@click.argument("directory", metavar="[DIR]", default=".")
@home_option
def init(directory: str) -> None:
    """Write a first plan for a repository; never overwrite a file."""
    from pathlib import Path

    from actors.command_line.init import write_plan

    path, found = write_plan(Path(directory))
    say(f"{path}\n{found}\nsay in it what is to be done, then: {command('up', str(path))}")


@main.command()
@plan_argument
@click.option("--repo", metavar="DIR", help="Use this repository instead of the plan's.")
@again_option
@json_option
@home_option
def check(plan: str, repo: str | None, again: bool, as_json: bool) -> None:
    """Validate a plan (./callboard.toml) and show what would run; start nothing."""
    from actors.command_line.views import checked as views
    from actors.runtime import local

    fields = with_repo(read_plan(plan), repo)
    checked = local.check(fields["plan"], fields["base"], again, home())
    show(checked, as_json, views.check)


@main.command()
@plan_argument
@click.option("--repo", metavar="DIR", help="Use this repository instead of the plan's.")
@again_option
@json_option
@home_option
def up(plan: str, repo: str | None, again: bool, as_json: bool) -> None:
    """Submit, prepare, start and follow one plan (./callboard.toml) to its end."""
    from actors.command_line.up import run_plan

    sys.exit(run_plan(home(), with_repo(read_plan(plan), repo), as_json, again=again))


@main.command()
@click.argument("workflow")
@home_option
def follow(workflow: str) -> None:
    """Follow a workflow to its end, in the view of `up`; Ctrl-C leaves it running."""
    from actors.command_line.up import follow_workflow

    sys.exit(follow_workflow(home(), workflow))


@main.command()
@plan_argument
@click.option("--repo", metavar="DIR", help="Use this repository instead of the plan's.")
@again_option
@json_option
@home_option
def submit(plan: str, repo: str | None, again: bool, as_json: bool) -> None:
    """Submit a plan (./callboard.toml), without preparing or starting it."""
    from actors.command_line.options import client
    from actors.command_line.up import submit as send

    fields = with_repo(read_plan(plan), repo)
    result = send(client, fields, again)
    show(result, as_json, lambda r: "\n".join([r.id, *(f"note: {w}" for w in r.warnings)]))


def finish(
    request: "Command",
    as_json: bool,
    *,
    until: tuple[str, ...] = (),
    bad: tuple[str, ...] = (),
    about: str = "",
) -> None:
    """Send a command, wait until the workflow is one of `until` or `bad`, and show its row.

    Say the status of the task whose id is `about`, else of what the command is about, and how to
    follow a workflow that goes on with it.
    """
    from actors.command_line.client.orders import order
    from bus import requests
    from bus.requests import WorkflowStop

    row = order(home(), request, until, bad)
    named = getattr(request, "task", "") or getattr(request, "terminal", "")
    said = _said(row, f"{row.id}/{about}/" if about else named)
    if isinstance(request, WorkflowStop) and not row.tidied:
        said += "; its programs are being ended still"
    goes_on = (
        requests.WorkflowStart
        | requests.WorkflowResume
        | requests.WorkflowRepair
        | requests.MergeContinue
        | requests.TaskRetry
        | requests.TaskReject
    )
    if isinstance(request, goes_on) and row.status in _AT_WORK:
        said += f"\nfollow it: {command('follow', row.id)}"
    show(row, as_json, lambda _: said)
    if row.status in bad:
        raise Stop(said, FAILED, command("why", row.id))


def _said(row: "Workflow", asked: str = "") -> str:
    """Return the status of the task at the address `asked`, else of the workflow."""
    name = asked.strip("/").split("/")[1] if asked.count("/") else ""
    about = next((task for task in row.tasks if task.id == name), row)
    return f"{about.address} {about.status}" + (f": {about.reason}" if about.reason else "")


@main.command()
@click.argument("workflow")
@json_option
@home_option
def prepare(workflow: str, as_json: bool) -> None:
    """Start the terminals one by one."""
    from bus.requests import WorkflowPrepare

    request = WorkflowPrepare(workflow=workflow)
    finish(request, as_json, until=("ready",), bad=("failed", "cancelled"))


@main.command()
@click.argument("workflow")
@json_option
@home_option
def start(workflow: str, as_json: bool) -> None:
    """Set the prepared terminals to work."""
    from bus.requests import WorkflowStart

    finish(WorkflowStart(workflow=workflow), as_json)


@main.command()
@click.argument("workflow")
@json_option
@home_option
def resume(workflow: str, as_json: bool) -> None:
    """Resume a paused workflow."""
    from bus.requests import WorkflowResume

    finish(WorkflowResume(workflow=workflow), as_json)


@main.command()
@click.argument("address")
@json_option
@home_option
def stop(address: str, as_json: bool) -> None:
    """End a workflow, or give up one task of it; keep the branches."""
    from bus.plan_requests import TaskCancel
    from bus.requests import WorkflowStop

    if address.strip("/").count("/") == 1:
        finish(TaskCancel(task=address), as_json)
    else:
        finish(WorkflowStop(workflow=address), as_json, until=("cancelled",))


@main.command()
@click.argument("workflow")
@click.option("--freeze", is_flag=True, help="Also stop the running programs (SIGSTOP).")
@json_option
@home_option
def pause(workflow: str, freeze: bool, as_json: bool) -> None:
    """Pause a workflow: type and start nothing new; running programs go on."""
    from bus.requests import WorkflowPause

    finish(WorkflowPause(workflow=workflow, freeze=freeze), as_json)


@main.command()
@click.argument("workflow")
@click.option(
    "--cli",
    default="",
    help="The program that repairs; else [error], or that of the first terminal.",
)
@json_option
@home_option
def repair(workflow: str, cli: str, as_json: bool) -> None:
    """Start the repair of what failed."""
    from bus.requests import WorkflowRepair

    finish(WorkflowRepair(workflow=workflow, cli=cli), as_json)


@main.command()
@click.argument("task")
@json_option
@home_option
def retry(task: str, as_json: bool) -> None:
    """Relaunch a failed task's terminal."""
    from bus.requests import TaskRetry

    finish(TaskRetry(task=task), as_json)


@main.command()
@click.argument("task")
@click.option("--commit", default="", help="Only if this is still the newest commit.")
@json_option
@home_option
def approve(task: str, commit: str, as_json: bool) -> None:
    """Accept the work of a task that asks for review."""
    from bus.requests import TaskApprove

    finish(TaskApprove(task=task, commit=commit), as_json)


@main.command()
@click.argument("task")
@click.option("--reason", required=True, help="What is to be mended; the coder gets it.")
@json_option
@home_option
def reject(task: str, reason: str, as_json: bool) -> None:
    """Send the work of a task back to its coder."""
    from bus.requests import TaskReject

    finish(TaskReject(task=task, reason=reason), as_json)


@main.command()
@click.argument("workflow")
@click.option("--preview", is_flag=True, help="Predict; changes nothing.  [default]")
@click.option("--continue", "go_on", is_flag=True, help="Go on after resolving by hand.")
@click.option("--abort", is_flag=True, help="Give the merge up.")
@json_option
@home_option
def merge(workflow: str, preview: bool, go_on: bool, abort: bool, as_json: bool) -> None:
    """Preview, continue or abort a merge; it starts by itself when all tasks are done."""
    from actors.command_line.views import tables
    from bus.requests import MergeAbort, MergeContinue, MergePreview

    if preview + go_on + abort > 1:
        raise Stop("only one of --preview, --continue, --abort can be done", USAGE)
    if go_on:
        finish(MergeContinue(workflow=workflow), as_json)
    elif abort:
        finish(MergeAbort(workflow=workflow), as_json)
    else:
        show(ask(MergePreview(workflow=workflow)), as_json, tables.preview)


@main.command()
@click.argument("terminal")
@click.argument("choice")
@json_option
@home_option
def answer(terminal: str, choice: str, as_json: bool) -> None:
    """Answer a terminal's prompt with the label of a choice."""
    from bus.requests import TerminalAnswer

    result = ask(TerminalAnswer(terminal=terminal, choice=choice))
    show(result, as_json, lambda r: f"answered: {r.answered}")
