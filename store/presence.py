"""Whether the files of an open database are still the ones that lie in its directory.

SQLite keeps its files open. Where somebody deletes or replaces one, it goes on writing into a file
that has no name any more, and reports success. Comparing inodes finds that.
"""

from pathlib import Path

SUFFIXES = ("", "-wal", "-shm")
"""The database, its write-ahead log and its shared index. Without the index another program
would not see the locks of this one."""


class Presence:
    """The files of one database, as they were when this was made. Any thread."""

    def __init__(self, path: Path) -> None:
        found = [(f"{path}{suffix}", _inode(f"{path}{suffix}")) for suffix in SUFFIXES]
        self._files = [(name, inode) for name, inode in found if inode is not None]

    def lost(self) -> list[str]:
        """The paths of the files that were deleted, replaced or emptied; [] where all are there."""
        return [name for name, inode in self._files if _inode(name) != inode]


def is_there(path: Path) -> bool:
    """Whether there is a database. An empty file is none: SQLite would begin a new one in it."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _inode(name: str) -> tuple[int, int] | None:
    """What identifies the file; None where there is none, or an empty one in its place.

    A file that cannot be looked at for another reason is not known to be lost: raises `OSError`.
    """
    try:
        found = Path(name).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not found.st_size and not name.endswith("-wal"):  # a log is empty after a checkpoint
        return None
    return found.st_dev, found.st_ino
