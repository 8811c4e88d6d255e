"""The manual: the help of every command in one text, or as a man page.

Both are made from the commands themselves, as `--help` is, so that they cannot differ from them.
"""

import re
from collections.abc import Iterator

import click

from actors import VERSION

_EXITS = (
    ("0", "Done."),
    ("1", "The thing asked for failed."),
    ("2", "Wrong usage, name or plan."),
    ("3", "No runtime, or the home is busy."),
    ("4", "Refused in this state, or to this caller."),
)
_FILES = (
    ("~/.local/state/callboard", "The home, unless --home or $CALLBOARD_HOME names another."),
    ("~/.config/callboard/config.toml", "What holds for every plan: [defaults]."),
    ("~/.config/callboard/profiles.toml", "Your own CLIs, and changes to the built-in ones."),
    ("~/.config/callboard/providers.toml", "Your model endpoints."),
)


def commands(context: click.Context) -> Iterator[click.Context]:
    """Yield the context of each visible command below a group, in the order of `--help`."""
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.commands[name]
        if command.hidden:
            continue
        inner = click.Context(
            command, info_name=name, parent=context, terminal_width=context.terminal_width
        )
        yield inner
        yield from commands(inner)


def text(root: click.Context) -> str:
    """Return the help of the program and of each command, one after another."""
    return "\n\n".join(each.get_help() for each in (root, *commands(root)))


def page(root: click.Context) -> str:
    """Return the manual as a man page, in roff."""
    about = _plain(root.command)
    what = about[0].rstrip(".")
    lines = [
        f'.TH CALLBOARD 1 "" "callboard {VERSION}" "User Commands"',
        ".SH NAME",
        f"callboard \\- {_roff(what[:1].lower() + what[1:])}",
        ".SH SYNOPSIS",
        ".B callboard",
        "[\\fB\\-\\-home\\fR \\fIDIR\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]",
        ".SH OPTIONS",
        *_options(root),
        ".SH COMMANDS",
    ]
    for each in commands(root):
        words = " ".join(each.command_path.split()[1:])
        usage = " ".join(each.command.collect_usage_pieces(each))
        lines += [f'.SS "{_roff(f"{words} {usage}")}"']
        for paragraph in _plain(each.command):
            lines += [_roff(paragraph), ".PP"]
        lines += _options(each)
    lines += [".SH EXIT STATUS", *_tagged(_EXITS), ".SH FILES", *_tagged(_FILES)]
    return "\n".join(lines)


def _plain(command: click.Command) -> list[str]:
    """Return the paragraphs of a command's help, each on one line."""
    paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    return [" ".join(paragraph.split()) for paragraph in paragraphs]


def _options(context: click.Context) -> list[str]:
    told = (parameter.get_help_record(context) for parameter in context.command.get_params(context))
    return _tagged(record for record in told if record is not None)


def _tagged(rows: "Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]") -> list[str]:
    """Return rows of a term and what it means."""
    return [line for term, says in rows for line in (".TP", f"\\fB{_roff(term)}\\fR", _roff(says))]


def _roff(text: str) -> str:
    """Return text as roff shows it: no character in it is a command."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    plain = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in plain)
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain
