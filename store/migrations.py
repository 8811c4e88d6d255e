"""The schema's versions.

A step takes the database from the version that is its index to the next. `PRAGMA user_version`
holds the version of a database. A released step is never edited.
"""

from collections.abc import Callable

from peewee import IntegrityError, SqliteDatabase

from bus.kinds import LaunchWait, LimitKind
from store.own_merge_table import give_merge_its_table
from store.tables import TABLES, Account, Notice, Question, Usage


def _create(database: SqliteDatabase) -> None:
    with database.bind_ctx(TABLES):
        database.create_tables(TABLES)


def _add_working_clock(database: SqliteDatabase) -> None:
    """Add the column `working_clock`, which a new database has already."""
    if "working_clock" not in {column.name for column in database.get_columns("terminal")}:
        database.execute_sql(
            "ALTER TABLE terminal ADD COLUMN working_clock REAL NOT NULL DEFAULT 0.0"
        )


def _add_accepted(database: SqliteDatabase) -> None:
    """Add `accepted` and `speaker`. A completed task has accepted the tip of its branch."""
    if "accepted" not in {column.name for column in database.get_columns("task")}:
        for name in ("accepted", "speaker"):
            database.execute_sql(f"ALTER TABLE task ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")
        database.execute_sql("UPDATE task SET accepted = tip WHERE status = 'completed'")


def _add_turns(database: SqliteDatabase) -> None:
    """Add the columns about turns that end without a commit that counts."""
    present = {column.name for column in database.get_columns("terminal")}
    for name, kind in (
        ("ended", "INTEGER NOT NULL DEFAULT 0"),
        ("nudges", "INTEGER NOT NULL DEFAULT 0"),
        ("idle", "TEXT NOT NULL DEFAULT ''"),
    ):
        if name not in present:
            database.execute_sql(f"ALTER TABLE terminal ADD COLUMN {name} {kind}")


def _add_author(database: SqliteDatabase) -> None:
    """Add the author of merges, as git named it at the submission; "" asks git at the merge."""
    if "author" not in {column.name for column in database.get_columns("workflow")}:
        database.execute_sql("ALTER TABLE workflow ADD COLUMN author TEXT NOT NULL DEFAULT ''")


def _rename_intent(database: SqliteDatabase) -> None:
    """Rename `alive`, which was an intent, and `ready`, which is also true of a failed launch."""
    present = {column.name for column in database.get_columns("terminal")}
    for old, new in (("alive", "shall_run"), ("ready", "launch_over")):
        if old in present:
            database.execute_sql(f"ALTER TABLE terminal RENAME COLUMN {old} TO {new}")


def _add_settings(database: SqliteDatabase) -> None:
    """Add the git settings of the submission; null takes those at the time of the tests."""
    if "settings" not in {column.name for column in database.get_columns("workflow")}:
        database.execute_sql(
            "ALTER TABLE workflow ADD COLUMN settings TEXT NOT NULL DEFAULT 'null'"
        )


def _add_dependencies(database: SqliteDatabase) -> None:
    """Add the columns about tasks that come after others."""
    for table, name, kind in (
        ("task", "after", "TEXT NOT NULL DEFAULT '[]'"),
        ("task", "carried", "TEXT NOT NULL DEFAULT ''"),
        ("task", "held", "TEXT NOT NULL DEFAULT ''"),
        ("merge", "task", "TEXT NOT NULL DEFAULT ''"),
    ):
        if name not in {column.name for column in database.get_columns(table)}:
            database.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "{name}" {kind}')


def _add_limits(database: SqliteDatabase) -> None:
    """Add what is known of limits: columns of a terminal, and the table of accounts."""
    present = {column.name for column in database.get_columns("terminal")}
    kinds = ", ".join(f"'{kind}'" for kind in LimitKind)
    for name, kind in (
        ("limited", f"TEXT NOT NULL DEFAULT '' CHECK (limited IN ({kinds}))"),
        ("until", "TEXT NOT NULL DEFAULT ''"),
        ("estimated", "INTEGER NOT NULL DEFAULT 0"),
        ("account", "TEXT NOT NULL DEFAULT ''"),
        ("limits", "INTEGER NOT NULL DEFAULT 0"),
        ("fallbacks", "INTEGER NOT NULL DEFAULT 0"),
    ):
        if name not in present:
            database.execute_sql(f"ALTER TABLE terminal ADD COLUMN {name} {kind}")
    with database.bind_ctx([Account]):
        database.create_tables([Account])


def _add_kept(database: SqliteDatabase) -> None:
    """Add what is known of the repository's shared files; "" is kept from the next look on."""
    present = {column.name for column in database.get_columns("workflow")}
    for name in ("kept", "changed", "held"):
        if name not in present:
            database.execute_sql(f"ALTER TABLE workflow ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")


def _add_usage(database: SqliteDatabase) -> None:
    """Add what terminals have used, and the caps that were told."""
    for table, name, kind in (
        ("terminal", "tokens", "INTEGER NOT NULL DEFAULT 0"),
        ("terminal", "cost", "REAL NOT NULL DEFAULT 0.0"),
        ("terminal", "capped", "INTEGER NOT NULL DEFAULT 0"),
        ("task", "capped", "INTEGER NOT NULL DEFAULT 0"),
        ("workflow", "capped", "INTEGER NOT NULL DEFAULT 0"),
    ):
        if name not in {column.name for column in database.get_columns(table)}:
            database.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "{name}" {kind}')
    with database.bind_ctx([Usage]):
        database.create_tables([Usage])


def _add_checks(database: SqliteDatabase) -> None:
    """Add the columns about the checks of tasks."""
    present = {column.name for column in database.get_columns("task")}
    for name, kind in (
        ("checking", "TEXT NOT NULL DEFAULT ''"),
        ("check_review", "INTEGER NOT NULL DEFAULT 0"),
        ("check_run", "INTEGER NOT NULL DEFAULT 0"),
        ("checked", "INTEGER NOT NULL DEFAULT 0"),
    ):
        if name not in present:
            database.execute_sql(f'ALTER TABLE "task" ADD COLUMN "{name}" {kind}')


def _add_conversations(database: SqliteDatabase) -> None:
    """Add which conversations of a terminal go on."""
    present = {column.name for column in database.get_columns("terminal")}
    for name in ("fresh", "resumed"):
        if name not in present:
            database.execute_sql(
                f"ALTER TABLE terminal ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0"
            )


def _add_questions(database: SqliteDatabase) -> None:
    """Add questions to the orchestrator, submissions sent again, and moves of the target."""
    with database.bind_ctx([Question]):
        database.create_tables([Question])
    present = {column.name for column in database.get_columns("workflow")}
    for name in sorted({"submission", "moved"} - present):
        database.execute_sql(f"ALTER TABLE workflow ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")


def _add_notices(database: SqliteDatabase) -> None:
    """Add how far persons were told, who asks a failed provider, and what launches wait for.

    A terminal also gets the columns about a program that is kept.
    """
    if "waits" not in {column.name for column in database.get_columns("terminal")}:
        kinds = ", ".join(f"'{kind}'" for kind in LaunchWait)
        database.execute_sql(
            "ALTER TABLE terminal ADD COLUMN waits TEXT NOT NULL DEFAULT ''"
            f" CHECK (waits IN ({kinds}))"
        )
    if "probe" not in {column.name for column in database.get_columns("account")}:
        database.execute_sql("ALTER TABLE account ADD COLUMN probe TEXT NOT NULL DEFAULT ''")
    with database.bind_ctx([Notice]):
        database.create_tables([Notice])
    present = {column.name for column in database.get_columns("terminal")}
    for name in ("kept", "resting"):
        if name not in present:
            database.execute_sql(
                f"ALTER TABLE terminal ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0"
            )


STEPS: tuple[Callable[[SqliteDatabase], None], ...] = (
    _create,
    _add_working_clock,
    _add_accepted,
    _add_turns,
    _add_author,
    give_merge_its_table,
    _rename_intent,
    _add_settings,
    _add_dependencies,
    _add_limits,
    _add_kept,
    _add_usage,
    _add_checks,
    _add_conversations,
    _add_questions,
    _add_notices,
)

VERSION = len(STEPS)


def migrate(database: SqliteDatabase) -> None:
    """Take all missing steps in one transaction, so that a crash leaves the old schema.

    A new database gets today's tables at once: then the later steps find nothing to do.

    Foreign keys are off meanwhile, so that a step can recreate a table. They are checked before the
    transaction ends. Raise `IntegrityError` if one is broken.
    """
    database.pragma("foreign_keys", 0)
    try:
        with database.atomic("EXCLUSIVE"):
            version = database.pragma("user_version")
            for step in STEPS[version:] if version else (_create,):
                step(database)
            if version < VERSION and database.execute_sql("PRAGMA foreign_key_check").fetchone():
                raise IntegrityError("a foreign key is broken")
            database.pragma("user_version", VERSION)
    finally:
        database.pragma("foreign_keys", 1)
