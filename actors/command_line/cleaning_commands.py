"""Commands that remove what workflows that are over left: `clean` and `forget`."""

import click

from actors.command_line.entry import main
from actors.command_line.options import client, home_option, json_option, show


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
