"""The user's own directory, which a user may not have: a container's uid without an entry in
passwd, started without HOME.
"""

import os
from pathlib import Path


class NoHomeDirectory(Exception):
    """This user has no home directory, and it is needed; the message says what helps."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} needs a home directory, and user {os.getuid()} has none "
            "(HOME is not set, and passwd has no entry): set HOME"
        )


def expanded(path: Path | str) -> Path:
    """Return the path with `~` replaced. Raises `NoHomeDirectory`."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise NoHomeDirectory(str(path)) from error


def file_of_user(path: Path | str) -> Path | None:
    """Return the user's file at a path that begins with `~`; None for a user without a home."""
    try:
        return expanded(path)
    except NoHomeDirectory:
        return None
