"""The user's home directory, and files below it.

A user may have none: for instance a container's uid without an entry in passwd and without HOME.
"""

import os
from pathlib import Path


class NoHomeDirectory(Exception):
    """A home directory is needed and this user has none; the message says what helps."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} needs a home directory, and user {os.getuid()} has none "
            "(HOME is not set, and passwd has no entry): set HOME"
        )


def expanded(path: Path | str) -> Path:
    """Return the path with `~` replaced. Raise `NoHomeDirectory`."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise NoHomeDirectory(str(path)) from error


def file_of_user(path: Path | str) -> Path | None:
    """Return the path with `~` replaced; None if the user has no home directory."""
    try:
        return expanded(path)
    except NoHomeDirectory:
        return None


def config_path(name: str) -> Path | None:
    """Return the path of a file of the user's configuration of Callboard, which need not exist.

    It is in `$XDG_CONFIG_HOME/callboard`, else in `~/.config/callboard`. Return None if the user
    has no home directory. As the XDG rules want it, a relative `$XDG_CONFIG_HOME` does not count.
    """
    base = os.environ.get("XDG_CONFIG_HOME", "")
    place = base if base.startswith("/") else "~/.config"
    return file_of_user(f"{place}/callboard/{name}")
