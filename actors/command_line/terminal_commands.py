"""Commands on one terminal: `screen`, `logs`, `attach`, `send`."""

import sys

import click

from actors.command_line.entry import main
from actors.command_line.options import ask, home, home_option, json_option, show
from actors.command_line.output.exits import USAGE, Stop


@main.command()
@click.argument("terminal")
@json_option
@home_option
def screen(terminal: str, as_json: bool) -> None:
    """Show a terminal's screen."""
    from bus.requests import TerminalScreen
    from bus.visible import visible

    shown = ask(TerminalScreen(terminal=terminal))
    show(shown, as_json, lambda screen: "\n".join(map(visible, screen.text.split("\n"))))


@main.command()
@click.argument("terminal")
@click.option("--follow", is_flag=True, help="Go on with what comes, until the program ends.")
@click.option("--raw", is_flag=True, help="The bytes as the program wrote them.")
@home_option
def logs(terminal: str, follow: bool, raw: bool) -> None:
    """Print a terminal's output as text, without control sequences."""
    from actors.command_line.logs import print_logs

    print_logs(home(), terminal, follow, raw)


@main.command()
@click.argument("terminal")
@click.option("--read-only", is_flag=True, help="Only watch.")
@click.option(
    "--detach-key",
    default="ctrl-q",
    show_default=True,
    metavar="KEY",
    help="Leave with this key: ctrl-A … ctrl-Z.",
)
@home_option
def attach(terminal: str, read_only: bool, detach_key: str) -> None:
    """Enter a terminal; Ctrl-q leaves, and the program goes on."""
    from actors.command_line.attach import attach as enter

    name, _, letter = detach_key.lower().partition("-")
    if name != "ctrl" or len(letter) != 1 or not "a" <= letter <= "z":
        raise Stop(f"--detach-key: {detach_key!r} is not ctrl-A … ctrl-Z", USAGE)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Stop(
            "attach needs a terminal on standard input and output", USAGE, f"logs {terminal}"
        )
    sys.exit(enter(home(), terminal, read_only, bytes([ord(letter) - ord("a") + 1])))


@main.command()
@click.argument("terminal")
@click.argument("text")
@json_option
@home_option
def send(terminal: str, text: str, as_json: bool) -> None:
    """Give a working terminal its next instruction; `-` reads it from standard input."""
    from bus.requests import TerminalSend

    words = sys.stdin.read() if text == "-" else text
    if not words.strip():
        raise Stop("TEXT: must say something", USAGE)
    done = ask(TerminalSend(terminal=terminal, text=words))
    show(done, as_json, lambda _: f"{terminal} gets it as its next instruction")
