"""Commands on the configuration: of the user, and of a workflow's repository."""

from typing import TYPE_CHECKING

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
    show(local.settings(home(), text), as_json, _text)


def _text(found: "Settings") -> str:
    """Return one line for each file and each setting; paths are not cut."""
    lines = [f"{name:<16} {path}" for name, path in [("home", found.home), *found.files.items()]]
    settings = [f"{each.key:<16} {each.value or '-':<12} {each.source}" for each in found.settings]
    return "\n".join([*lines, "", *settings])
