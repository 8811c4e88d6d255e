"""The schema's versions. Each step takes the database from its index to the next;
`PRAGMA user_version` tells where one stands. Steps are never edited once released.
"""

from collections.abc import Callable

from peewee import SqliteDatabase

from store.tables import TABLES


def _create(database: SqliteDatabase) -> None:
    with database.bind_ctx(TABLES):
        database.create_tables(TABLES)


STEPS: tuple[Callable[[SqliteDatabase], None], ...] = (_create,)

VERSION = len(STEPS)


def migrate(database: SqliteDatabase) -> None:
    """All missing steps in one transaction: a crash leaves the old schema."""
    with database.atomic("EXCLUSIVE"):
        for step in STEPS[database.pragma("user_version") :]:
            step(database)
        database.pragma("user_version", VERSION)
