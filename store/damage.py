"""A damaged database file: how damage is noticed, and how the whole file is examined.

SQLite notices a damaged page when it reads that page; a start does not read the whole history to
find one. Reading a damaged page raises `Damaged`, and other reads continue to work. `examine` reads
the whole file, and the doctor calls it.
"""

import contextlib
import sqlite3
from pathlib import Path

from store.errors import Damaged

_SIGNS = ("malformed", "not a database", "Could not decode to UTF-8", "cannot hold BLOB")


def is_damage(error: BaseException) -> bool:
    """Return whether an error of SQLite or Peewee says that the file is damaged."""
    return any(sign in str(error) for sign in _SIGNS)


def damaged(path: Path, error: BaseException) -> Damaged:
    """Return the error for a damaged file, with SQLite's reason and what helps."""
    return Damaged(
        f"{path} is damaged ({error}); its undamaged parts can still be read. "
        "The doctor examines the file, and mends it while no runtime serves this home"
    )


def examine(path: Path) -> dict[str, str]:
    """Return each table with the first fault in it or its indexes ("" if it has none).

    Read the whole file and change nothing. Raise `Damaged` if the schema cannot be read, and
    `OSError` if the file cannot be opened.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5)) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {name: _wrong(database, name) for (name,) in tables.fetchall()}
    except sqlite3.OperationalError as error:
        raise OSError(f"{path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from error


def _wrong(database: sqlite3.Connection, table: str) -> str:
    try:
        found = database.execute(f"PRAGMA integrity_check('{table}')").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    text = str(found[0]) if found else "ok"
    return "" if text == "ok" else " ".join(text.split())
