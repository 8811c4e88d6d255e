"""Turn names and messages of any bytes into text that can be stored and sent."""

from pathlib import Path
from typing import Final

from actors.platform.files import read_line

SHARED_FILES: Final = ("config", "config.worktree")
"""Files of the common git directory that every git in its worktrees obeys."""
SHARED_FOLDERS: Final = ("info", "hooks")
"""The folders with such files."""


def shown(text: str) -> str:
    r"""Return a name, read with `surrogateescape`, as valid Unicode for people and facts.

    Each byte that is not UTF-8 becomes `\xNN`; nothing else changes. Do not give the result to git.
    """
    if text.isascii():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that did not come from a file name
        raw = text.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def read_name(path: Path | str) -> str:
    """Read a file of git's that holds one path or name. Raise `OSError`."""
    return read_line(path)
