"""A page in the middle of the file is damaged: who reads there is told, nothing is made up,
and all the rest goes on."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bus.facts import CommitSeen
from store.damage import examine
from store.errors import Damaged
from store.journal import Journal
from store.reader import Reader

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
        with pytest.raises(Damaged, match=r"callboard\.db is damaged.*doctor.*recover"):
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
