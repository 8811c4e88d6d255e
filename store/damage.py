"""A damaged database file: how it shows, and what helps.

SQLite notices a page that is not what it should be when it reads that page. Nothing is
checked beforehand: that would cost each start a walk through all of history. So damage is
met by whoever reads there, who gets `Damaged` and never something made up, and everything
else goes on. `examine` walks through all of it, when a person asks (`run.py doctor`).
"""

import contextlib
import sqlite3
from pathlib import Path

from store.errors import Damaged

_SIGNS = ("malformed", "not a database", "Could not decode to UTF-8", "cannot hold BLOB")


def is_damage(error: BaseException) -> bool:
    """Whether an error of SQLite, or of Peewee around it, says that the file is damaged."""
    return any(sign in str(error) for sign in _SIGNS)


def damaged(path: Path, error: BaseException) -> Damaged:
    return Damaged(
        f"{path} is damaged ({error}); what is sound in it can be read still. "
        "`python run.py doctor` says what is; `python run.py doctor --mend` mends it "
        "once the runtime is ended (`down`: terminals go on)"
    )


def examine(path: Path) -> dict[str, str]:
    """Each table, with the first thing that is wrong with it or its indexes ("" is sound).
    Reads the whole file, changes nothing. Raises `Damaged` where not even its schema can be
    read, and OSError where it cannot be opened."""
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
