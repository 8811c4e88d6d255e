"""Commands on the configuration: of the user, and of a workflow's repository."""

from typing import TYPE_CHECKING

import click

from actors.command_line.entry import main
from actors.command_line.options import ask, home, home_option, json_option, read_plan, show

if TYPE_CHECKING:
    from bus.results import Settings


@main.group()
def config() -> None:
    """Show what counts for your plans, or settle a change of a repository."""


@config.command("show")
@click.argument("plan", required=False)
@json_option
@home_option
def show_config(plan: str | None, as_json: bool) -> None:
    """Show what counts where a terminal says nothing itself, and which file says so."""
    from actors.runtime import local

    text = read_plan(plan)["plan"] if plan else None
    show(local.settings(home(), text), as_json, _text)


@config.command()
@click.argument("workflow")
@json_option
@home_option
def restore(workflow: str, as_json: bool) -> None:
    """Put a repository's configuration, hooks and attributes back as at the submission."""
    from bus.requests import ConfigRestore

    result = ask(ConfigRestore(workflow=workflow))
    show(result, as_json, lambda r: f"{r.workflow}/ put back: {', '.join(r.files) or 'nothing'}")


@config.command()
@click.argument("workflow")
@json_option
@home_option
def accept(workflow: str, as_json: bool) -> None:
    """Take a repository's configuration, hooks and attributes as they are: it was you."""
    from bus.requests import ConfigAccept

    result = ask(ConfigAccept(workflow=workflow))
    show(result, as_json, lambda r: f"{r.workflow}/ accepted: {', '.join(r.files) or 'nothing'}")


def _text(found: "Settings") -> str:
    """Return one line for each file and each setting; paths are not cut."""
    lines = [f"{name:<16} {path}" for name, path in [("home", found.home), *found.files.items()]]
    settings = [f"{each.key:<16} {each.value or '-':<12} {each.source}" for each in found.settings]
    return "\n".join([*lines, "", *settings])
