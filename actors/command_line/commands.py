"""The commands of the stage door.

Every command says what it did, exits 0 (done), 1 (the thing asked for failed), 2 (wrong
usage or plan), 3 (no runtime, or the home is busy) or 4 (refused in this state), and with
`--json` prints one JSON document. Imports stand inside the commands, so that `--help` is
quick; of the standard library, too, what click has not imported (`pathlib` costs 5 ms).
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from actors.command_line.exits import DONE, FAILED, USAGE, Stop
from actors.command_line.options import (
    Door,
    ask,
    home,
    home_option,
    json_option,
    read_plan,
    show,
    with_repo,
)


@click.group(cls=Door, invoke_without_command=True)
@click.option("--home", metavar="DIR", help="Where Callboard keeps its state.")
@click.pass_context
def main(ctx: click.Context, home: str | None) -> None:
    """Run a company of AI coding CLIs on one git repository."""
    ctx.obj = home
    if ctx.invoked_subcommand is None:
        ctx.invoke(serve)


# ---- the runtime --------------------------------------------------------------------------


@main.command()
@click.option("--idle-exit", type=float, default=0.0, metavar="SECONDS", hidden=True)
@home_option
def serve(idle_exit: float) -> None:
    """Run the runtime in the foreground; Ctrl-C leaves the terminals running."""
    from actors.runtime.serve import serve as run

    sys.exit(run(home(), idle_exit))


@main.command()
@click.option("--terminals", is_flag=True, help="End every terminal too.")
@json_option
@home_option
def down(terminals: bool, as_json: bool) -> None:
    """End the runtime; terminals go on unless told otherwise."""
    from actors.command_line.daemon import down as end

    result = end(home(), terminals)
    show(result, as_json, lambda result: result["message"])
    sys.exit(DONE if result["ended"] else FAILED)


@main.command()
@click.option("--dir", "directory", metavar="DIR", help="Where to put the sample; kept.")
@home_option
def demo(directory: str | None) -> None:
    """The main job on a sample repository, with scripted agents in real terminals."""
    from actors.command_line.demo import run_demo

    sys.exit(run_demo(click.get_current_context().find_root().obj, directory))


@main.command()
@click.option("--mend", is_flag=True, help="Mend a damaged database first.")
@json_option
@home_option
def doctor(mend: bool, as_json: bool) -> None:
    """What is installed, what is missing, what runs, and what mends it."""
    from actors.command_line import doctor as actor
    from actors.command_line import views

    if mend:
        click.echo(actor.mend(home()), err=True)
    report = actor.examine(home())
    show(report, as_json, views.doctor)
    sys.exit(DONE if report["ok"] else FAILED)


@main.group(invoke_without_command=True)
@json_option
@home_option
@click.pass_context
def providers(ctx: click.Context, as_json: bool) -> None:
    """Your providers (~/.config/callboard/providers.toml), and whether their keys are there."""
    if ctx.invoked_subcommand is None:
        from actors.clis import lookup
        from actors.command_line import views

        with provider_errors():
            found = lookup.of_user()
        show(lookup.listed(found), as_json, views.providers)


@providers.command("import")
@click.argument("source", required=False, metavar="[DATABASE]")
@json_option
@home_option
def import_providers(source: str | None, as_json: bool) -> None:
    """Add the providers of cc-switch, which is only read; its keys stay where they are."""
    from pathlib import Path

    from actors.clis import lookup

    with provider_errors():
        result = lookup.take_over(Path(source) if source else None)
    said = "{file}: {} added, {} there already".format
    show(result, as_json, lambda r: said(len(r["added"]), len(r["kept"]), file=r["file"]))


@contextmanager
def provider_errors() -> Iterator[None]:
    from actors.clis.cc_switch import CcSwitchError
    from actors.clis.providers import ProviderError

    try:
        yield
    except (ProviderError, CcSwitchError) as error:
        raise Stop(str(error), USAGE) from error


@main.command()
@json_option
@home_option
def compact(as_json: bool) -> None:
    """Forget the facts of finished workflows; `seq` goes on."""
    result = ask("events.compact")
    show(result, as_json, lambda r: f"{r['removed']} facts of finished workflows removed")


# ---- plans and workflows ------------------------------------------------------------------


@main.command()
@click.argument("plan")
@click.option("--repo", metavar="DIR", help="Use this repository instead of the plan's.")
@json_option
@home_option
def check(plan: str, repo: str | None, as_json: bool) -> None:
    """Validate a plan and show what would run; starts nothing."""
    from actors.command_line import views
    from actors.gateway.actor import shown
    from actors.plan.check import check as check_plan

    fields = with_repo(read_plan(plan), repo)
    show(shown(check_plan(fields["plan"], fields["base"])), as_json, views.check)


@main.command()
@click.argument("plan")
@click.option("--repo", metavar="DIR", help="Use this repository instead of the plan's.")
@json_option
@home_option
def up(plan: str, repo: str | None, as_json: bool) -> None:
    """Submit, prepare, start and follow one plan to its end."""
    from actors.command_line.up import run_plan

    sys.exit(run_plan(home(), with_repo(read_plan(plan), repo), as_json))


@main.command()
@click.argument("plan")
@click.option("--repo", metavar="DIR", help="Use this repository instead of the plan's.")
@json_option
@home_option
def submit(plan: str, repo: str | None, as_json: bool) -> None:
    """Submit a plan; it is then `created`."""
    result = ask("plan.submit", **with_repo(read_plan(plan), repo))
    show(result, as_json, lambda r: "\n".join([r["id"], *(f"note: {w}" for w in r["warnings"])]))


def command(
    name: str, until: tuple[str, ...], bad: tuple[str, ...], about: str
) -> Callable[..., None]:
    """A command on a workflow, which waits until it is one of `until`."""

    @main.command(name, help=about)
    @click.argument("workflow")
    @json_option
    @home_option
    def run(workflow: str, as_json: bool) -> None:
        finish(f"workflow.{name}", until, bad, as_json, workflow=workflow)

    return run


def finish(
    type: str, until: tuple[str, ...], bad: tuple[str, ...], as_json: bool, **fields: Any
) -> None:
    from actors.command_line.orders import order

    row = order(home(), type, until, bad, fields)
    said = f"{row['address']} {row['status']}" + _because(row)
    if type == "workflow.stop" and not row["tidied"]:
        said += "; its programs are being ended still"
    show(row, as_json, lambda _: said)
    if row["status"] in bad:
        raise Stop(said, FAILED, f"python run.py why {row['id']}")


def _because(row: Any) -> str:
    return f": {row['reason']}" if row["reason"] else ""


command("prepare", ("ready",), ("failed", "cancelled"), "Start the terminals one by one.")
command("start", (), (), "Set the prepared terminals to work.")
command("resume", (), (), "Go on after a pause.")
command("stop", ("cancelled",), (), "End a workflow's terminals; its branches are kept.")


@main.command()
@click.argument("workflow")
@click.option("--freeze", is_flag=True, help="Also stop the running programs (SIGSTOP).")
@json_option
@home_option
def pause(workflow: str, freeze: bool, as_json: bool) -> None:
    """Type nothing new and start nothing; what runs goes on."""
    finish("workflow.pause", (), (), as_json, workflow=workflow, freeze=freeze)


@main.command()
@click.argument("workflow")
@click.option("--cli", default="", help="The program that repairs, where the plan has no [error].")
@json_option
@home_option
def repair(workflow: str, cli: str, as_json: bool) -> None:
    """Start the repair of what failed."""
    finish("workflow.repair", (), (), as_json, workflow=workflow, cli=cli)


@main.command()
@click.argument("task")
@json_option
@home_option
def retry(task: str, as_json: bool) -> None:
    """Relaunch a failed task's terminal."""
    finish("task.retry", (), (), as_json, task=task)


@main.command()
@click.argument("task")
@json_option
@home_option
def approve(task: str, as_json: bool) -> None:
    """Accept the work of a task that asks for review."""
    finish("task.approve", (), (), as_json, task=task)


@main.command()
@click.argument("task")
@click.option("--reason", required=True, help="What is to be mended; the coder gets it.")
@json_option
@home_option
def reject(task: str, reason: str, as_json: bool) -> None:
    """Send the work of a task back to its coder."""
    finish("task.reject", (), (), as_json, task=task, reason=reason)


@main.command()
@click.argument("workflow")
@click.option("--preview", is_flag=True, help="Predict; changes nothing.  [default]")
@click.option("--continue", "go_on", is_flag=True, help="Go on after resolving by hand.")
@click.option("--abort", is_flag=True, help="Give the merge up.")
@json_option
@home_option
def merge(workflow: str, preview: bool, go_on: bool, abort: bool, as_json: bool) -> None:
    """Predict, go on with, or give up a merge; it starts by itself when all tasks are done."""
    from actors.command_line import views

    verbs = [name for name, given in (("continue", go_on), ("abort", abort)) if given]
    if len(verbs) + preview > 1:
        raise Stop("only one of --preview, --continue, --abort can be done", USAGE)
    if not verbs:
        show(ask("merge.preview", workflow=workflow), as_json, views.preview)
        return
    finish(f"merge.{verbs[0]}", (), (), as_json, workflow=workflow)


# ---- looking ------------------------------------------------------------------------------


@main.command()
@click.argument("workflow", required=False)
@json_option
@home_option
def ps(workflow: str | None, as_json: bool) -> None:
    """What runs; what waits for a person stands on top."""
    from actors.command_line import views

    one = workflow is not None
    found = [ask("workflow.get", workflow=workflow)] if one else ask("workflow.list")
    show(found, as_json, views.ps)


@main.command()
@json_option
@home_option
def tree(as_json: bool) -> None:
    """The supervisor tree."""
    from actors.command_line import views

    show(ask("tree.inspect"), as_json, views.tree)


@main.command()
@click.argument("address")
@json_option
@home_option
def why(address: str, as_json: bool) -> None:
    """The facts behind a status, newest first."""
    from actors.command_line import views

    show(ask("why", address=address), as_json, views.why)


@main.command()
@click.argument("address", required=False, default="")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only facts after this seq.")
@click.option("--follow", is_flag=True, help="Go on with those that come.")
@click.option("--type", "types", multiple=True, help="Only facts of this type.")
@json_option
@home_option
def events(address: str, after: int, follow: bool, types: tuple[str, ...], as_json: bool) -> None:
    """The feed: every fact, in order."""
    from actors.command_line.events import print_events

    print_events(home(), address, after, follow, types, as_json)


@main.command()
@click.argument("terminal")
@click.argument("choice")
@json_option
@home_option
def answer(terminal: str, choice: str, as_json: bool) -> None:
    """Reply to the prompt a terminal is blocked at, by the label of a choice."""
    result = ask("terminal.answer", terminal=terminal, choice=choice)
    show(result, as_json, lambda r: f"answered: {r['answered']}")
