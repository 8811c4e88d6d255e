"""Commands on the CLIs: `cli try`."""

import sys

import click

from actors.command_line.entry import main
from actors.command_line.options import home_option, json_option, read_plan, show
from actors.command_line.output.exits import DONE, FAILED


@main.group("cli")
def cli() -> None:
    """Try the profiles of AI coding CLIs."""


@cli.command("try")
@click.argument("name")
@click.option("--plan", metavar="PLAN", help="Take [cli.NAME] of this plan into account.")
@click.option("--ask", is_flag=True, help="Start it so that it asks, and answer what it asks.")
@json_option
@home_option
def try_cli(name: str, plan: str | None, ask: bool, as_json: bool) -> None:
    """Run a CLI once, and say which patterns of its profile match.

    It works in a scratch repository, for a server on this machine that plays the model. Nothing is
    sent to a real one. Takes 10 s to 3 minutes.
    """
    from actors.command_line.views import trials
    from actors.runtime import local

    trial = local.try_cli(name, read_plan(plan) if plan else None, ask)
    show(trial, as_json, trials.shown)
    sys.exit(DONE if trial.ok else FAILED)
