"""The migration that gives the merge a table of its own.

Before, a merge was 15 columns of its workflow's row. `merge_waits` held what is now `stage`, and ""
while the merger worked. `merge_resolved` was either a resolution or a repair. `merge_at` was both
the time of the merge commits and the position in the queue. The migration also gives the role of a
terminal a CHECK.

The statement for the new table is spelled out, because the models may change later. A table that
gets a CHECK or loses columns is created under another name, filled, and renamed to the old name
(SQLite's documented procedure, for which foreign keys are off). Its statement is the stored one,
with the change made in it.
"""

import re
import sqlite3
from collections.abc import Callable

from peewee import SqliteDatabase

_MERGE = """CREATE TABLE "merge" ("workflow" TEXT NOT NULL PRIMARY KEY,
"stage" TEXT NOT NULL CHECK (stage IN ('idle', 'building', 'testing', 'landing', 'conflict',
'repair', 'checking', 'by_hand', 'checkout')) DEFAULT 'idle',
"round" INTEGER NOT NULL DEFAULT 0, "base" TEXT NOT NULL DEFAULT '',
"commit" TEXT NOT NULL DEFAULT '', "commit_time" TEXT NOT NULL DEFAULT '',
"runs" INTEGER NOT NULL DEFAULT 0, "tested" INTEGER NOT NULL DEFAULT 0,
"queued" TEXT NOT NULL DEFAULT '', "files" TEXT NOT NULL DEFAULT '[]',
"branch" TEXT NOT NULL DEFAULT '', "worktree" TEXT NOT NULL DEFAULT '',
"start" TEXT NOT NULL DEFAULT '', "resolution" TEXT NOT NULL DEFAULT '',
"repaired" TEXT NOT NULL DEFAULT '', "repairs" INTEGER NOT NULL DEFAULT 0,
"problem" TEXT NOT NULL DEFAULT '', "told" TEXT NOT NULL DEFAULT '',
FOREIGN KEY ("workflow") REFERENCES "workflow" ("id") ON DELETE CASCADE)"""

_MERGE_COLUMN = re.compile(r', "merge_\w+" [^,]+')
_ROLE = '"role" TEXT NOT NULL'
_CHECKED_ROLE = """"role" TEXT NOT NULL CHECK (role IN ('coder', 'reviewer')) DEFAULT 'coder'"""


def give_merge_its_table(database: SqliteDatabase) -> None:
    """Move each workflow's merge into a row of its own; a new database has these rows already."""
    if "merge_waits" not in {column.name for column in database.get_columns("workflow")}:
        return
    connection: sqlite3.Connection = database.connection()
    connection.execute(_MERGE)
    query = "SELECT * FROM workflow ORDER BY rowid"
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    for values in cursor.fetchall():
        merge = _merge_row(dict(zip(names, values, strict=True)))
        columns = ", ".join(f'"{name}"' for name in merge)
        marks = ", ".join("?" * len(merge))
        connection.execute(f"INSERT INTO merge ({columns}) VALUES ({marks})", [*merge.values()])
    _make_anew(connection, "workflow", lambda sql: _MERGE_COLUMN.sub("", sql))
    _make_anew(connection, "terminal", lambda sql: sql.replace(_ROLE, _CHECKED_ROLE, 1))


def _merge_row(row: dict[str, object]) -> dict[str, object]:
    """Return the row of the table `merge` for a row of `workflow`."""
    stage, mends = _stage(row), row["merge_waits"] == "checking" and row["merge_files"] == "[]"
    same = ("round", "base", "commit", "runs", "tested", "files", "branch", "worktree", "start")
    return {
        "workflow": row["id"],
        "stage": stage,
        **{name: row[f"merge_{name}"] for name in (*same, "repairs", "problem")},
        "commit_time": row["merge_at"],
        "queued": row["merge_at"],
        "resolution": "" if mends else row["merge_resolved"],
        "repaired": row["merge_resolved"] if mends else "",
        "told": _told(row, stage),
    }


def _stage(row: dict[str, object]) -> str:
    if row["status"] != "merging":
        return "idle"
    if row["merge_waits"]:
        return str(row["merge_waits"])
    return "testing" if row["merge_commit"] else "building"


def _told(row: dict[str, object], stage: str) -> str:
    """Return `told` for a row: `merge_told`, with the stage instead of `merge_waits`.

    Only a value that names the present step is changed; without the change, the fact of that step
    would be stored a second time.
    """
    told = str(row["merge_told"])
    place, resolved = f"{row['merge_round']}/{row['merge_runs']}", row["merge_resolved"]
    present = f"{place}/{row['merge_waits']}/{resolved}/"
    if not told.startswith(present):
        return told
    return f"{place}/{stage}/{resolved}/{told.removeprefix(present)}"


def _make_anew(connection: sqlite3.Connection, table: str, change: Callable[[str], str]) -> None:
    """Recreate a table with its changed statement, and keep its indexes, rows and rowids."""
    query = "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
    found = connection.execute(query, (table,)).fetchall()
    ((_, statement),) = [one for one in found if one[0] == "table"]
    connection.execute(change(statement).replace(f'"{table}"', '"new"', 1))
    columns = connection.execute("PRAGMA table_info('new')").fetchall()
    names = ", ".join(["rowid", *(f'"{name}"' for _, name, *_ in columns)])
    connection.execute(f'INSERT INTO "new" ({names}) SELECT {names} FROM "{table}"')
    connection.execute(f'DROP TABLE "{table}"')
    connection.execute(f'ALTER TABLE "new" RENAME TO "{table}"')
    for kind, index in found:
        if kind == "index":
            connection.execute(index)
