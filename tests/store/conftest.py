from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus.plan import Plan, decode
from store.database import create_or_migrate
from store.journal import Journal, Stored
from store.reader import Reader

PLAN = """
name = "demo"
repo = "/nowhere"
[[task]]
id = "login"
branch = "feat/login"
[[task.terminal]]
cli = "custom"
instruction = "write it"
[[task.terminal]]
cli = "custom"
role = "reviewer"
instruction = "review it"
"""


@pytest.fixture
def plan() -> Plan:
    return decode(PLAN)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "callboard.db"
    create_or_migrate(path)
    return path


@pytest.fixture
def published() -> list[Stored]:
    return []


@pytest.fixture
def open_journal(database: Path, published: list[Stored]) -> Iterator[Callable[[], Journal]]:
    opened: list[Journal] = []

    def open_one() -> Journal:
        journal = Journal(database, published.extend, lambda why: pytest.fail(why))
        opened.append(journal)
        return journal

    yield open_one
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(open_journal: Callable[[], Journal]) -> Journal:
    return open_journal()


@pytest.fixture
def reader(database: Path) -> Iterator[Reader]:
    reader = Reader(database)
    yield reader
    reader.close()
