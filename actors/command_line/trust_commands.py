"""The command `trust`: what a repository makes CLIs start, and a person's word for it."""

from typing import TYPE_CHECKING

import click

from actors.command_line.entry import main
from actors.command_line.options import home, home_option, json_option, show

if TYPE_CHECKING:
    from bus.checked import Trusted


@main.command()
@click.argument("directory", metavar="[DIR]", default=".")
@click.option("--show", "only_show", is_flag=True, help="Only say what is there.")
@json_option
@home_option
def trust(directory: str, only_show: bool, as_json: bool) -> None:
    """Trust the files of a repository by which CLIs start hooks, MCP servers and plugins.

    What is trusted is the content as it is now; a file that changes is asked for again.
    """
    from pathlib import Path

    from actors.runtime import local

    show(local.trust(home(), Path(directory), only_show), as_json, _text)


def _text(found: "Trusted") -> str:
    lines = [f"trusted now: {path}" for path in found.added]
    lines += [f"trusted: {path}" for path in found.trusted]
    lines += [f"not trusted: {path}" for path in found.untrusted]
    lines += [f"cannot be read, so nobody can trust it: {path}" for path in found.unread[:20]]
    lines += [f"and {len(found.unread) - 20} more such files"] if found.unread[20:] else []
    return "\n".join(lines or ["nothing in it makes a CLI start anything"])
