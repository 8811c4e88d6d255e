"""Spell commands as this program was started, so that they can be copied into a shell.

Imports are inside the functions, so that `--help` is quick.
"""

import os
import sys

import click

_DEFAULT = "python run.py"


def started_as() -> str:
    """Return the words that started this process, without the arguments of the command line.

    They are as the user typed them: `python run.py`, or `python -m callboard`.
    """
    import shlex

    own = len(sys.orig_argv) - len(sys.argv) + 1
    return shlex.join(sys.orig_argv[:own]) if own > 1 else _DEFAULT


def installed_as() -> str:
    """Return the installed command: its name if the shell finds it by name, else its path."""
    import shlex

    path = sys.argv[0]
    name = os.path.basename(path)  # noqa: PTH119 - pathlib costs 5 ms
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        found = os.path.join(directory, name)  # noqa: PTH118
        if os.access(found, os.X_OK):
            if os.path.exists(path) and os.path.samefile(found, path):  # noqa: PTH110, PTH121
                return shlex.quote(name)
            break
    return shlex.quote(path)


def spelling() -> str:
    """Return the name under which the command line runs; `python run.py` outside a command."""
    context = click.get_current_context(silent=True)
    name = context.find_root().info_name if context is not None else None
    return _DEFAULT if name in (None, "run.py") else str(name)


def given_home() -> str | None:
    """Return the home that the user named with `--home`, if any."""
    context = click.get_current_context(silent=True)
    home: str | None = context.find_root().obj if context is not None else None
    return home


_PLAN = "callboard.plan"


def note_plan(*words: str) -> None:
    """Remember the plan that the user named, and the options that say where it runs."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_PLAN] = [*context.meta.get(_PLAN, []), *words]


def given_plan() -> list[str]:
    """Return the words that `note_plan` was given; `PLAN` if there are none."""
    context = click.get_current_context(silent=True)
    words: list[str] = context.meta.get(_PLAN, []) if context is not None else []
    return words or ["PLAN"]


def command(*words: str) -> str:
    """Return a command of this program that can be copied into a shell.

    It is spelled as the program was started, with `--home` if one was given.

    >>> command("why", "demo/a")
    'python run.py why demo/a'
    """
    import shlex

    home = given_home()
    return " ".join(
        [spelling(), shlex.join(words), *(["--home", shlex.quote(home)] if home else [])]
    )
