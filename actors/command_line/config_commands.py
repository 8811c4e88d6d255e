"""Commands on the configuration: of the user, and of a workflow's repository."""

from typing import TYPE_CHECKING, Any

import click

from actors.command_line.entry import main
from actors.command_line.options import home, home_option, json_option, read_plan, show

if TYPE_CHECKING:
    from bus.results import Settings


@main.group()
def config() -> None:
    """Show what counts for your plans."""


@config.command("show")
@click.argument("plan", required=False)
@json_option
@home_option
def show_config(plan: str | None, as_json: bool) -> None:
    """Show what counts where a terminal says nothing itself, and which file says so."""
    from actors.runtime import local

    text = read_plan(plan)["plan"] if plan else None
    show(local.settings(home(), text), as_json, _table)


def _table(found: "Settings") -> Any:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    places, values = (Table(box=None, pad_edge=False, show_header=False) for _ in range(2))
    places.add_row("home", escape(found.home))
    for name, path in found.files.items():
        places.add_row(name, escape(path))
    for each in found.settings:
        values.add_row(each.key, escape(each.value or "-"), escape(each.source))
    return Group(places, "", values)
