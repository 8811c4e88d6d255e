"""How this program was started, so that the commands it prints can be typed as they stand.

Imports stand inside the functions, so that `--help` is quick.
"""

import os
import sys

import click

_DEFAULT = "python run.py"


def started_as() -> str:
    """The words that started this process, up to the first argument of ours: `python run.py`,
    `python -m callboard`, as they were typed.
    """
    import shlex

    own = len(sys.orig_argv) - len(sys.argv) + 1
    return shlex.join(sys.orig_argv[:own]) if own > 1 else _DEFAULT


def installed_as() -> str:
    """The installed command as it can be typed: its name if the shell finds it by that, else its
    path.
    """
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
    """The name under which the command line runs; `python run.py` outside of a command."""
    context = click.get_current_context(silent=True)
    name = context.find_root().info_name if context is not None else None
    return _DEFAULT if name in (None, "run.py") else str(name)


def given_home() -> str | None:
    """The home that the user named with `--home`, if any."""
    context = click.get_current_context(silent=True)
    home: str | None = context.find_root().obj if context is not None else None
    return home


def command(*words: str) -> str:
    """A command of this program, to be copied into a shell as it stands: in the spelling it was
    started with, and with `--home` if one was given.

    >>> command("why", "demo/a")
    'python run.py why demo/a'
    """
    import shlex

    home = given_home()
    return " ".join(
        [spelling(), shlex.join(words), *(["--home", shlex.quote(home)] if home else [])]
    )
