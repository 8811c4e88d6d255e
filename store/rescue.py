"""Rescue of the content of a database whose files were deleted while it was open.

SQLite still has the deleted files open, so everything can still be read.
"""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path


def rescue(connection: sqlite3.Connection, path: Path, lost: Sequence[str]) -> str:
    """Save everything that was committed; return a sentence that says where it is.

    If only the write-ahead log was lost, write its content back into the database. If the database
    itself was lost or replaced, make a copy beside it, with the time in its name. Do not touch
    `path`, which belongs to the person who replaced or deleted the file.
    """
    try:
        if list(lost) == [f"{path}-shm"]:
            return f"all that was stored is in {path} and its log"  # SQLite makes the index again
        if str(path) not in lost and not Path(f"{path}-wal").exists():
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
            if not busy:
                return f"all that was stored is in {path}"
        copy = path.with_name(f"{path.name}.rescued-{time.strftime('%Y%m%d-%H%M%S')}")
        connection.execute("VACUUM INTO ?", (str(copy),))
        copy.chmod(0o600)
        _remove_log(path, lost)
    except (sqlite3.Error, OSError) as error:
        return f"what was stored could not be saved: {error}"
    return f"all that was stored is in {copy}: to go on with it, rename it to {path.name}"


def _remove_log(path: Path, lost: Sequence[str]) -> None:
    """Remove the log and the index of a lost database.

    SQLite would apply them to a database that replaces it, and damage that.
    """
    for name in (f"{path}-wal", f"{path}-shm"):
        if name not in lost:
            Path(name).unlink(missing_ok=True)
