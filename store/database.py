"""Opening the database: pragmas, the schema's version, migrations.

The database is SQLite in WAL mode with `synchronous=FULL`: an acknowledged commit survives a loss
of power.
"""

import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path

from peewee import DatabaseError, OperationalError, SqliteDatabase

from store import migrations
from store.damage import damaged
from store.errors import Unusable, Unwritable

CACHE_KB = 256
"""Memory for pages of the database, for each connection. The system has them in memory, too."""

BUSY_MS = 5_000
"""How long a statement waits for another program's lock, in milliseconds."""


def open_database(path: Path) -> SqliteDatabase:
    """Return a connection, for any thread that holds its owner's lock.

    Raise `Unusable` if the file is damaged, newer than this program, or cannot be opened, and
    `Unwritable` if it is locked. The message says which, and what helps.
    """
    database = SqliteDatabase(
        str(path),
        pragmas={
            "journal_mode": "wal",
            "synchronous": "full",
            "foreign_keys": 1,
            "busy_timeout": BUSY_MS,
            "cell_size_check": 1,  # refuse the content of a damaged page
            "cache_size": -CACHE_KB,
        },
        thread_safe=False,
        check_same_thread=False,
        autoconnect=False,
    )
    try:
        database.connect()
        _check_integrity(database, path)
    except OperationalError as error:
        raise _unusable(path, error) from error
    except DatabaseError as error:
        raise Unusable(
            f"{path} is not a sound database ({error}); keep the file and restore a copy of it, "
            "or recover what can be read with the `.recover` of SQLite's own shell"
        ) from error
    return database


def create_or_migrate(path: Path) -> None:
    """Bring the schema to this program's version, in one transaction.

    A new file is readable by its owner alone, because it holds instructions and screens. SQLite
    gives its log and its index the same mode.
    """
    if not path.exists():
        with suppress(OSError):  # `open_database` reports the reason
            path.touch(mode=0o600)
    database = open_database(path)
    try:
        migrations.migrate(database)
        database.execute_sql(
            "INSERT OR IGNORE INTO meta (key, value) VALUES ('secret', ?)",
            (secrets.token_hex(32),),
        )
    except OperationalError as error:
        raise _unusable(path, error) from error
    except DatabaseError as error:
        raise damaged(path, error) from error
    finally:
        database.close()


def _check_integrity(database: SqliteDatabase, path: Path) -> None:
    """Check the header, the schema and its version, at a cost independent of the file's size."""
    database.execute_sql("SELECT count(*) FROM sqlite_master").fetchone()
    version = database.pragma("user_version")
    if version > migrations.VERSION:
        raise Unusable(
            f"{path} has schema {version}, this program knows {migrations.VERSION}: "
            "it was written by a newer Callboard; install that one"
        )


def _unusable(path: Path, error: BaseException) -> Unusable | Unwritable:
    while isinstance(error.__context__, OperationalError | sqlite3.Error):  # not the rollback's
        error = error.__context__
    if "locked" in str(error) or "busy" in str(error):
        return Unwritable(f"{path} is locked by another program ({error}); end it and try again")
    return Unusable(f"{path} cannot be opened: {error}; check the disk and its permissions")
