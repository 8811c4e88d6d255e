"""Commands about what was left: `clean` and `forget` of workflows that are over, and `recover`."""

import click

from actors.command_line.entry import main
from actors.command_line.options import client, home, home_option, json_option, show
from actors.command_line.output.printing import say, say_json
from actors.command_line.output.program import command


@main.command()
@click.argument("workflow", required=False)
@click.option("--older-than", "older", metavar="AGE", help="Only what ended so long ago: 12h, 3d.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@home_option
def clean(workflow: str | None, older: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove what workflows that are over left; lose no commit, and say what stays."""
    from actors.command_line import cleaning

    age = cleaning.age(older) if older else None
    with client() as door:
        cleared = cleaning.clean(door, workflow, age, dry_run)
        open_ones = [] if workflow else cleaning.not_over(door)
    results = [each.cleaned for each in cleared]
    show(results, as_json, lambda _: cleaning.shown(cleared, open_ones))


@main.command()
@click.argument("workflow")
@json_option
@home_option
def forget(workflow: str, as_json: bool) -> None:
    """Clean a workflow that is over, and remove it from all views."""
    from actors.command_line import cleaning

    with client() as door:
        cleared = cleaning.forget(door, workflow)
    said = f"{cleared.row.address} is forgotten"
    show(cleared.cleaned, as_json, lambda _: "\n".join([*cleared.lines(), said]))


@main.command()
@click.option("--dry-run", is_flag=True, help="Only name the steps.")
@json_option
@home_option
def recover(dry_run: bool, as_json: bool) -> None:
    """Go on after a reboot: start again what was lost with the machine."""
    from actors.command_line import recovering

    with recovering.connected(home()) as door:
        unknown = recovering.unsettled(door)
        taken = []
        for step in recovering.steps(door):
            said = f"{step.what}: {step.command}"
            if not as_json:
                say(said)
            outcome = "" if dry_run else recovering.take(door, step)
            if outcome and not as_json:
                say(f"  {outcome}")
            taken.append({"what": step.what, "command": step.command, "outcome": outcome})
    for address in unknown:
        what = f"it is not known yet whether the program of {address} runs"
        taken.append({"what": what, "command": recovering.reason_of(address), "outcome": ""})
        if not as_json:
            say(f"{what}: {taken[-1]['command']}")
    if as_json:
        say_json(taken, pretty=True)
    else:
        say(f"what waits for you: {command('ps')}" if taken else "nothing was lost")
    if unknown:
        raise click.exceptions.Exit(1)
