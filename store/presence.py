"""Whether the files of an open database are still those in its directory.

SQLite keeps its files open. If somebody deletes or replaces one, SQLite continues to write into the
file without a name, and reports success. Comparing inodes detects that.
"""

from pathlib import Path

SUFFIXES = ("", "-wal", "-shm")
"""The database, its write-ahead log and its shared index.

The index counts because another program would not see this one's locks without it.
"""


class Presence:
    """The files of a database, as they were when this was made. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        files = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
        self._files = [(file, inode) for file in files if (inode := _inode(file)) is not None]

    def lost(self) -> list[str]:
        """Return the paths of the files that were deleted, replaced or emptied since."""
        return [str(file) for file, inode in self._files if _inode(file) != inode]


def is_there(path: Path) -> bool:
    """Return whether there is a database; an empty file is none, as SQLite would begin anew."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _inode(file: Path) -> tuple[int, int] | None:
    """Return the identity of a file; None if it is missing, or empty and not the log.

    Raise `OSError` for any other reason, because the file is then not known to be lost.
    """
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not found.st_size and not file.name.endswith("-wal"):  # a log is empty after a checkpoint
        return None
    return found.st_dev, found.st_ino
