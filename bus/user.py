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
