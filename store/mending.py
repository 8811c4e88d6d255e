"""Mending a damaged database: copy all that can be read into a new one, without guessing.

Only history may be lost: facts on which every unfinished workflow has decided. If other tables are
damaged, or facts on which a workflow has not decided yet, a copy of the file must be restored. The
damaged file is kept beside the new one.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from store import migrations
from store.damage import examine, is_damage
from store.database import create_or_migrate
from store.errors import Damaged, Unwritable

Row = tuple[object, ...]


class Mended(msgspec.Struct, frozen=True):
    """The result: the seqs of the lost facts, and the path of the damaged file."""

    lost: list[int]
    kept: Path


def mend(path: Path) -> Mended | None:
    """Mend the database; return None if nothing is damaged.

    Raise `Damaged` if it cannot be mended, and `Unwritable` if it cannot be mended now; the file
    then stays as it was. No other program may use the file meanwhile.
    """
    kept, draft = _free_name(path), path.with_name("mended.db")
    lost = None
    try:
        _copy(path, kept)
        lost = _mended(path, draft)
    except sqlite3.DatabaseError as error:
        kind = Damaged if is_damage(error) else Unwritable
        raise kind(f"{path} cannot be mended ({error}): restore a copy of it") from error
    finally:
        if lost is None:
            _forget(draft)
            _forget(kept)
    if lost is None:
        return None
    for end in ("-wal", "-shm"):  # they belong to the old file, and are empty
        Path(f"{path}{end}").unlink(missing_ok=True)
    draft.replace(path)
    return Mended(lost, kept)


def _mended(path: Path, draft: Path) -> list[int] | None:
    """Write the new database; return the seqs of the lost facts, None if nothing is damaged."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    wrong = {table for table, what in examine(path).items() if what}
    if not wrong:
        return None
    if wrong != {"fact"}:
        raise Damaged(f"{path}: {', '.join(sorted(wrong))} is damaged: restore a copy of the file")
    _forget(draft)
    create_or_migrate(draft)
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(draft)) as new:
        lost = _salvage(path, old, new)
        new.commit()
        new.execute("PRAGMA journal_mode = delete")  # leaves everything in one file
    return lost


def _free_name(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return kept


def _copy(path: Path, kept: Path) -> None:
    for end in ("", "-wal"):
        if (file := Path(f"{path}{end}")).exists():
            shutil.copy2(file, f"{kept}{end}")


def _forget(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)


def _salvage(path: Path, old: sqlite3.Connection, new: sqlite3.Connection) -> list[int]:
    if old.execute("PRAGMA user_version").fetchone()[0] != migrations.VERSION:
        raise Damaged(f"{path} is of another Callboard: mend it with that one")
    for (table,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table != "fact":
            cursor = old.execute(f'SELECT * FROM "{table}"')
            names = ", ".join(f'"{column[0]}"' for column in cursor.description)
            marks = ", ".join("?" for _ in cursor.description)
            new.executemany(f'INSERT OR REPLACE INTO "{table}" ({names}) VALUES ({marks})', cursor)
    try:
        ((last,),) = old.execute("SELECT max(seq) FROM fact").fetchall()
        facts = list(_readable(old, 1, int(last)))
    except sqlite3.DatabaseError as error:
        raise Damaged(f"{path}: the newest facts are damaged: restore a copy of it") from error
    new.executemany("INSERT INTO fact VALUES (?, ?, ?, ?, ?)", facts)
    lost = _lost(old, {int(str(fact[0])) for fact in facts}, int(last))
    ((decided,),) = old.execute("SELECT min(handled) FROM workflow WHERE tidied = 0").fetchall()
    if lost and decided is not None and lost[-1] > decided:
        raise Damaged(
            f"{path}: facts up to {lost[-1]} are damaged, and not every workflow has decided on "
            f"those after {decided}: restore a copy of it"
        )
    return lost


def _readable(old: sqlite3.Connection, first: int, last: int) -> Iterator[Row]:
    """Yield the facts from `first` to `last` that can be read.

    When a read fails, halve the rest of the range and try again, down to single facts.
    """
    got = first - 1
    try:
        query = "SELECT seq, workflow, address, observed, body FROM fact NOT INDEXED"
        for row in old.execute(f"{query} WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, last)):
            yield row
            got = row[0]
    except sqlite3.DatabaseError:
        if got + 1 >= last:
            return
        middle = (got + 1 + last) // 2
        yield from _readable(old, got + 1, middle)
        yield from _readable(old, middle + 1, last)


def _lost(old: sqlite3.Connection, got: set[int], last: int) -> list[int]:
    """Return the seqs of the facts that could not be read.

    The index names all facts. If it is damaged too, return every missing number, although
    compaction may have removed some.
    """
    try:
        query = "SELECT seq FROM fact INDEXED BY fact_workflow_seq WHERE workflow >= ''"
        known = {int(seq) for (seq,) in old.execute(query)}
    except sqlite3.DatabaseError:
        known = set(range(1, last + 1))
    return sorted(known - got)
