"""The entry of the command line: the group of all commands, and the option `--home`."""

import click

from actors import VERSION
from actors.command_line.options import Door


@click.group(cls=Door, invoke_without_command=True)
@click.option("--home", metavar="DIR", help="Where Callboard keeps its state.")
@click.version_option(VERSION, message="callboard %(version)s")
@click.pass_context
def main(ctx: click.Context, home: str | None) -> None:
    """Run a company of AI coding CLIs on one git repository."""
    ctx.obj = home
    if ctx.invoked_subcommand is None:
        ctx.invoke(main.commands["serve"])
