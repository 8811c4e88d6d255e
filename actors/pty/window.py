"""The size of a terminal's window.

A size other than the usual one is kept beside the output, so that the screen is rendered as it was
drawn, also when nobody runs the program any more.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from actors.platform.files import NAME, read_bounded

ROWS: Final = 40
COLUMNS: Final = 120
"""The window while nobody is inside: profiles know their screens in this size."""

_FILE: Final = "size"


def size(directory: Path) -> tuple[int, int]:
    """Rows and columns of the incarnation whose host keeps its files in `directory`."""
    with suppress(OSError, ValueError):
        rows, columns = read_bounded(directory / _FILE, NAME).decode().split("x")
        return int(rows), int(columns)
    return ROWS, COLUMNS


def note(directory: Path, rows: int, columns: int) -> None:
    """Keep the size. A disk that is full loses no more than that."""
    if size(directory) != (rows, columns):
        with suppress(OSError):
            (directory / _FILE).write_text(f"{rows}x{columns}")
