"""Names of files and words of git as text that can be stored and sent: any bytes pass through."""

import os
from pathlib import Path


def shown(text: str) -> str:
    r"""Make text of a name that may not be UTF-8 (read with `surrogateescape`): each byte that is
    none becomes `\xNN`. Nothing else changes. The result is for people and facts, not for git.
    """
    if text.isascii():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that no file name gave
        raw = text.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def read_name(path: Path) -> str:
    """Read a file of git's that holds one path or name. Raises `OSError`."""
    return os.fsdecode(path.read_bytes()).rstrip("\r\n")
