"""Print the texts of the command line, as visible text only.

Every text that a command prints goes through this module. Imports are inside the functions, so that
`--help` is quick.
"""

from typing import Any

import click


def say(text: str, *, err: bool = False) -> None:
    """Print a text and a line feed, to standard error if `err`."""
    from bus.visible import visible

    click.echo(visible(text), err=err)


def say_json(value: Any, *, pretty: bool = False) -> None:
    """Print a value as one JSON document, on one line or indented."""
    import msgspec

    from bus.visible import visible_json

    raw = msgspec.json.encode(value)
    click.echo(visible_json((msgspec.json.format(raw) if pretty else raw).decode()))


def print_rich(renderable: Any) -> None:
    """Print a Rich renderable."""
    from actors.command_line.output.neutral import console

    console().print(renderable)
