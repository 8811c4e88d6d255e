"""The database file: durable by its pragmas, versioned, and refused when it cannot be trusted."""

import itertools
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from peewee import Model, SqliteDatabase

from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store import columns, migrations, tables
from store.database import CACHE_KB, create_or_migrate, open_database
from store.errors import Unusable, Unwritable
from store.journal import Journal
from store.reader import Reader
from store.tables import TABLES


def pragma(connection: Any, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.fixture
def plain(database: Path) -> Iterator[sqlite3.Connection]:
    """The file as any other program opens it, with foreign keys on."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = 1")
        yield connection


# ---- durability -----------------------------------------------------------------------


def test_the_writer_is_in_wal_mode_and_syncs_every_commit(journal: Journal) -> None:
    """Hazard 24."""
    assert pragma(journal._connection, "journal_mode") == "wal"  # noqa: SLF001
    assert pragma(journal._connection, "synchronous") == 2  # FULL  # noqa: SLF001
    assert pragma(journal._connection, "foreign_keys") == 1  # noqa: SLF001
    assert pragma(journal._connection, "busy_timeout") == 5_000  # noqa: SLF001


def test_both_connections_keep_few_pages_in_memory(journal: Journal, reader: Reader) -> None:
    """Else each finished task would take 5 kB, until they have 2 MB each."""
    for connection in (journal._connection, reader._database.connection()):  # noqa: SLF001
        assert pragma(connection, "cache_size") == -CACHE_KB


def test_what_is_stored_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "callboard.db"
    create_or_migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE more (x)")
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {f"callboard.db{end}": 0o600 for end in ("", "-wal", "-shm")}


def test_the_reader_cannot_write(reader: Reader) -> None:
    """Hazard 19."""
    assert pragma(reader._database.connection(), "query_only") == 1  # noqa: SLF001
    with pytest.raises(Exception, match="readonly"):
        reader._sql("DELETE FROM fact")  # noqa: SLF001


# ---- schema and migrations --------------------------------------------------------------


def test_a_new_file_has_this_program_s_version_and_all_tables(plain: sqlite3.Connection) -> None:
    assert pragma(plain, "user_version") == migrations.VERSION == len(migrations.STEPS)
    tables = {n for (n,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {t._meta.table_name for t in TABLES} <= tables  # noqa: SLF001


def test_a_new_database_has_nothing_left_for_the_steps(plain: sqlite3.Connection) -> None:
    """So a new one takes the first step only."""
    before = plain.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    place = plain.execute("PRAGMA database_list").fetchone()[2]
    with closing(open_database(Path(place))) as opened:
        for step in migrations.STEPS[1:]:
            step(opened)
    assert plain.execute("SELECT type, name, sql FROM sqlite_master").fetchall() == before


def test_migrating_again_changes_nothing(database: Path, plain: sqlite3.Connection) -> None:
    plain.execute("INSERT INTO meta VALUES ('k', 'v')")
    before = plain.execute("SELECT sql FROM sqlite_master").fetchall()
    create_or_migrate(database)
    assert plain.execute("SELECT sql FROM sqlite_master").fetchall() == before
    assert plain.execute("SELECT value FROM meta WHERE key = 'k'").fetchall() == [("v",)]


def test_a_file_of_version_0_is_brought_to_this_one(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    sqlite3.connect(path).close()
    path.touch()
    create_or_migrate(path)
    with closing(sqlite3.connect(path)) as made:
        assert pragma(made, "user_version") == migrations.VERSION


def test_only_the_missing_steps_are_taken(
    database: Path, plain: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(db: SqliteDatabase) -> None:
        db.execute_sql("ALTER TABLE meta ADD COLUMN more TEXT DEFAULT 'new'")

    plain.execute("INSERT INTO meta VALUES ('k', 'kept')")
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, add))
    monkeypatch.setattr(migrations, "VERSION", len(migrations.STEPS))
    create_or_migrate(database)
    create_or_migrate(database)
    assert plain.execute("SELECT * FROM meta WHERE key = 'k'").fetchall() == [("k", "kept", "new")]
    assert pragma(plain, "user_version") == migrations.VERSION


def test_a_migration_that_breaks_leaves_the_old_schema(
    database: Path, plain: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(db: SqliteDatabase) -> None:
        db.execute_sql("CREATE TABLE half (x)")
        raise RuntimeError("power is gone")

    version = migrations.VERSION
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, half))
    monkeypatch.setattr(migrations, "VERSION", version + 1)
    with pytest.raises(RuntimeError):
        create_or_migrate(database)
    assert pragma(plain, "user_version") == version
    assert not plain.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall()


def test_a_file_of_the_first_version_learns_the_working_clock(
    database: Path, plain: sqlite3.Connection
) -> None:
    plain.execute("ALTER TABLE terminal DROP COLUMN working_clock")
    plain.execute("PRAGMA user_version = 1")
    create_or_migrate(database)
    assert pragma(plain, "user_version") == migrations.VERSION
    fill(plain)
    assert plain.execute("SELECT working_clock FROM terminal").fetchall() == [(0.0,)]


def test_a_newer_file_is_refused_and_left_alone(database: Path, plain: sqlite3.Connection) -> None:
    newer = migrations.VERSION + 1
    plain.execute(f"PRAGMA user_version = {newer}")
    for opening in (create_or_migrate, open_database, Reader):
        with pytest.raises(Unusable, match="newer Callboard"):
            opening(database)
    assert pragma(plain, "user_version") == newer


@pytest.mark.parametrize("damage", [b"this is no database at all, but text" * 50, b"\0" * 4096])
def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(damage)
    with pytest.raises(Unusable, match=r"bad\.db"):
        create_or_migrate(path)
    assert path.read_bytes() == damage


def test_a_file_in_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="cannot be opened"):
        create_or_migrate(tmp_path / "none" / "x.db")


def test_a_file_another_program_locks_is_said(
    database: Path, plain: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database.BUSY_MS", 50)
    plain.execute("BEGIN EXCLUSIVE")
    with pytest.raises((Unwritable, Unusable), match="locked"):
        create_or_migrate(database)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_said(database: Path) -> None:
    database.chmod(0o400)
    with pytest.raises(Unusable):
        create_or_migrate(database)


# ---- what the database refuses by itself ------------------------------------------------

TEXT_ROWS = {
    "workflow": "INSERT INTO workflow (id, name, repo, target, plan, status)"
    " VALUES ('w', 'n', 'r', 't', '', ?)",
    "task": "INSERT INTO task (address, workflow, id, name, position, branch, status)"
    " VALUES ('w/t/', 'w', 't', 't', 1, 'b', ?)",
    "terminal": "INSERT INTO terminal (address, workflow, task, position, role, cli, plan, status)"
    " VALUES ('w/t/1/', 'w', 'w/t/', 1, 'coder', 'c', '', ?)",
}
ENUMS: dict[str, Any] = {
    "workflow": WorkflowStatus,
    "task": TaskStatus,
    "terminal": TerminalStatus,
}


def fill(plain: sqlite3.Connection) -> None:
    for table, sql in TEXT_ROWS.items():
        plain.execute(sql, (next(iter(ENUMS[table])),))


@pytest.mark.parametrize("table", TEXT_ROWS)
def test_every_status_of_a_machine_and_no_other_word_can_be_stored(
    table: str, plain: sqlite3.Connection
) -> None:
    """Hazard 13."""
    fill(plain)
    for word in ENUMS[table]:
        plain.execute(f"UPDATE {table} SET status = ?", (word,))
    every = {str(w) for enum in ENUMS.values() for w in enum}
    wrong = every - {str(w) for w in ENUMS[table]} | {"", "notstarted", "RUNNING", "reviewpending"}
    for word in wrong:
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            plain.execute(f"UPDATE {table} SET status = ?", (word,))
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        plain.execute(f"UPDATE {table} SET status = NULL")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE task SET workflow = 'nobody'",
        "UPDATE terminal SET workflow = 'nobody'",
        "UPDATE terminal SET task = 'nobody/'",
        "INSERT INTO cursor VALUES ('nobody', 'refs/heads/x', 'c')",
        "INSERT INTO \"commit\" VALUES ('nobody', 'c')",
    ],
)
def test_a_row_belongs_to_one_that_is_there(sql: str, plain: sqlite3.Connection) -> None:
    fill(plain)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        plain.execute(sql)


def test_a_merge_terminal_belongs_to_no_task(plain: sqlite3.Connection) -> None:
    fill(plain)
    plain.execute("UPDATE terminal SET task = NULL")


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ('"commit"', "'w', 'c'"),
        ("cursor", "'w', 'r', 'c'"),
        ("actorstate", "'a/', ''"),
        ("meta", "'k', 'v'"),
        ("fact", "1, 'w', 'w/', 0, ''"),
    ],
)
def test_a_key_is_there_once(table: str, values: str, plain: sqlite3.Connection) -> None:
    """Hazard 1."""
    fill(plain)
    plain.execute(f"INSERT INTO {table} VALUES ({values})")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        plain.execute(f"INSERT INTO {table} VALUES ({values})")


def test_a_task_s_id_and_branch_are_its_own_in_a_workflow(plain: sqlite3.Connection) -> None:
    fill(plain)
    more = "INSERT INTO task (address, workflow, id, name, position, branch) VALUES (?,?,?,?,?,?)"
    for id, branch in itertools.product(("t", "u"), ("b", "c")):
        if (id, branch) != ("u", "c"):
            with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
                plain.execute(more, (f"w/{id}2/", "w", id, id, 2, branch))
    plain.execute(more, ("w/u/", "w", "u", "u", 2, "c"))


COLUMNS = {
    tables.Workflow: columns.WorkflowColumns,
    tables.Merge: columns.MergeColumns,
    tables.Task: columns.TaskColumns,
    tables.Terminal: columns.TerminalColumns,
}


@pytest.mark.parametrize("table", COLUMNS)
def test_the_columns_that_a_change_may_name_are_in_the_table(table: type[Model]) -> None:
    assert COLUMNS[table].__annotations__.keys() <= table._meta.columns.keys()  # noqa: SLF001


def test_every_column_of_a_merge_may_be_changed() -> None:
    names = columns.MergeColumns.__annotations__.keys() | {"workflow"}
    assert names == tables.Merge._meta.columns.keys()  # noqa: SLF001
