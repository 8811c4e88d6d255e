"""A page in the middle of the file is damaged.

Who reads there is told, nothing is made up, and all the rest goes on.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bus.facts import CommitSeen
from bus.plan import Plan
from store.change import Update
from store.damage import examine
from store.database import create_or_migrate
from store.errors import Damaged
from store.journal import Journal
from store.mending import mend
from store.reader import Reader
from store.submission import submission

PAGE = 4096
FACTS = 3_000


@pytest.fixture
def filled(database: Path, open_journal: Callable[[], Journal]) -> Path:
    journal = open_journal()
    for start in range(0, FACTS, 500):
        journal.commit(
            [
                CommitSeen(address="w/a/", branch="b", commit=f"{n:040x}", subject=f"mark-{n}-")
                for n in range(start, start + 500)
            ]
        )
    journal.close()
    return database


def page_of(path: Path, mark: bytes) -> int:
    """The page, from 0, that holds a text."""
    return path.read_bytes().index(mark) // PAGE


def overwrite(path: Path, page: int, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, data, page * PAGE)
    os.fsync(fd)
    os.close(fd)


DAMAGE = {
    "zeros": b"\0" * PAGE,
    "another file's text": b"once upon a time " * 240,
    "noise": bytes((7 * n * n + 13 * n) % 256 for n in range(PAGE)),
    "half of it": b"\xff" * (PAGE // 2),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_who_reads_there_is_told_and_the_rest_is_read(filled: Path, damage: bytes) -> None:
    whole = Reader(filled)
    before = {n: whole.bodies(n, 1)[0] for n in range(FACTS)}
    whole.close()
    overwrite(filled, page_of(filled, b"mark-1500-"), damage)
    reader = Reader(filled)
    try:
        assert reader.head() == FACTS
        assert reader.bodies(0, 500) == [before[n] for n in range(500)]
        assert reader.bodies(2_000, 500) == [before[n] for n in range(2_000, 2_500)]
        with pytest.raises(Damaged, match=r"callboard\.db is damaged.*doctor"):
            reader.bodies(1_000, 1_000)
        with pytest.raises(Damaged):
            reader.newest("w/", FACTS)
    finally:
        reader.close()
    wrong = examine(filled)
    assert [name for name, what in wrong.items() if what] == ["fact"]


def test_a_fact_that_is_no_fact_is_damage(filled: Path) -> None:
    """The page is as it should be; what stands in it is not."""
    page = page_of(filled, b"mark-1500-")
    content = filled.read_bytes()[page * PAGE : (page + 1) * PAGE]
    overwrite(filled, page, content.replace(b'"mark-1500-"', b'"mark-15"0-"'))
    reader = Reader(filled)
    try:
        with pytest.raises(Damaged):
            reader.bodies(1_400, 200)
        assert len(reader.bodies(0, 1_000)) == 1_000
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("column", "wrong"),
    [("reason", b"\xffbytes"), ("files", "[half"), ("files", "[1]"),
     ("forecast", "none"), ("handled", "many")],
)  # fmt: skip
def test_a_row_that_holds_what_was_never_written_is_damage(
    database: Path, open_journal: Callable[[], Journal], plan: Plan, column: str, wrong: object
) -> None:
    journal = open_journal()
    for id in ("demo", "sound"):
        journal.commit(submission(id, plan, "then", "/git"))
    journal.close()
    with closing(sqlite3.connect(database)) as raw:
        table, key = ("merge", "workflow") if column == "files" else ("workflow", "id")
        raw.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = 'demo'", (wrong,))
        raw.commit()
    reader = Reader(database)
    try:
        with pytest.raises(Damaged, match="doctor examines"):
            reader.workflow("demo")
        assert reader.workflow("sound") is not None
    finally:
        reader.close()


def test_what_is_written_over_damage_is_refused_and_nothing_is_acknowledged(
    filled: Path, open_journal: Callable[[], Journal]
) -> None:
    """The index that every fact goes into."""
    journal = open_journal()
    with closing(sqlite3.connect(filled)) as plain:
        query = "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'fact' AND type = 'index'"
        ((root,),) = plain.execute(query).fetchall()
    overwrite(filled, root - 1, DAMAGE["zeros"])
    fact = CommitSeen(address="w/a/", branch="b", commit="f" * 40, subject="lost?")
    with pytest.raises(Damaged):
        journal.commit([fact])
    assert journal.head == FACTS
    with closing(sqlite3.connect(filled)) as plain:
        (found,) = plain.execute("SELECT count(*) FROM fact WHERE seq > ?", (FACTS,)).fetchone()
    assert found == 0


def test_where_the_newest_fact_cannot_be_read_no_number_is_given_to_another(
    filled: Path, open_journal: Callable[[], Journal]
) -> None:
    overwrite(filled, page_of(filled, f"mark-{FACTS - 1}-".encode()), DAMAGE["zeros"])
    with pytest.raises(Damaged):
        open_journal()


def test_a_sound_file_is_said_to_be(filled: Path) -> None:
    before = filled.read_bytes()
    assert set(examine(filled).values()) == {""}
    assert filled.read_bytes() == before


# ---- mending ---------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_lost_history_is_named_and_all_else_is_there(filled: Path, damage: bytes) -> None:
    for mark in (b"mark-700-", b"mark-1500-"):
        overwrite(filled, page_of(filled, mark), damage)
    spoilt = filled.read_bytes()
    mended = mend(filled)
    assert mended is not None
    assert {701, 1501} <= set(mended.lost)
    assert len(mended.lost) < 60
    assert mended.kept.read_bytes() == spoilt
    assert set(examine(filled).values()) == {""}
    reader = Reader(filled)
    try:
        assert reader.count_facts() == FACTS - len(mended.lost)
        assert reader.head() == FACTS
        assert b"mark-2999-" in reader.bodies(FACTS - 1, 1)[0]
    finally:
        reader.close()
    assert mend(filled) is None


def refused(path: Path, why: str) -> None:
    before = path.read_bytes()
    with pytest.raises(Damaged, match=why):
        mend(path)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*damaged*")), "no copy is left behind"
    assert not list(path.parent.glob("mended*"))


def test_what_is_not_decided_on_yet_is_not_given_up(filled: Path, plan: Plan) -> None:
    create_or_migrate(filled)
    journal = Journal(filled, lambda _: None, pytest.fail)
    journal.commit([*submission("w", plan, "")])
    journal.commit([Update("workflow", "w", {"handled": 1_400})])
    journal.close()
    overwrite(filled, page_of(filled, b"mark-1500-"), DAMAGE["zeros"])
    refused(filled, "not every workflow has decided")


def test_the_newest_facts_are_not_given_up(filled: Path) -> None:
    overwrite(filled, page_of(filled, f"mark-{FACTS - 1}-".encode()), DAMAGE["zeros"])
    refused(filled, "the newest facts")


def test_rows_that_say_what_runs_are_not_given_up(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as plain:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'terminal'"
        ((root,),) = plain.execute(query).fetchall()
    overwrite(filled, root - 1, DAMAGE["zeros"])
    refused(filled, "terminal is damaged")


def test_a_file_whose_beginning_is_gone_is_refused_too(filled: Path) -> None:
    overwrite(filled, 0, DAMAGE["zeros"])
    refused(filled, "not a database.*restore a copy")
