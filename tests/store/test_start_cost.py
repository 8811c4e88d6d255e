"""What a start costs depends on what is live, not on what has been (hazard 28).

No query of a start walks through the journal, the commits, or the rows of workflows that are over.
"""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from actors.runtime.runtime import Runtime
from bus.plan import Plan
from bus.status import WorkflowStatus
from store.change import Insert, Move, Operation, Update
from store.database import create_or_migrate
from store.journal import Journal
from store.reader import Reader
from store.submission import submission

GROWS = {"fact", "commit", "cursor", "workflow", "task", "terminal"}
"""Tables with the rows of what is over."""


def end(id: str) -> list[Operation]:
    return [
        Move("workflow", f"{id}/", WorkflowStatus.CREATED, WorkflowStatus.CANCELLED, "over"),
        Update("workflow", id, {"tidied": True}),
        Insert("commit", {"workflow": id, "commit": "0" * 40}),
        Insert("cursor", {"workflow": id, "ref": "refs/heads/a", "commit": "0" * 40}),
    ]


@pytest.fixture
def home(tmp_path: Path, plan: Plan) -> Path:
    """A home with a history: fifty workflows that are over, one that is not."""
    home = tmp_path / "home"
    home.mkdir()
    create_or_migrate(home / "callboard.db")
    journal = Journal(home / "callboard.db", lambda _: None, lambda why: pytest.fail(why))
    for number in range(50):
        journal.commit(submission(f"old-{number}", plan, ""))
        journal.commit(end(f"old-{number}"))
    journal.close()
    return home


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that any connection runs."""
    seen: list[str] = []
    connect = sqlite3.connect

    def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)
        connection.set_trace_callback(seen.append)
        return connection

    monkeypatch.setattr("peewee.sqlite3.connect", watched)
    return seen


def test_no_query_of_a_start_walks_through_history(home: Path, statements: list[str]) -> None:
    """Hazard 28."""
    runtime = Runtime(home)
    try:
        runtime.start()
    finally:
        runtime.stop()
    read = {s for s in statements if s.lstrip().startswith(("SELECT", "UPDATE", "DELETE"))}
    assert any("tidied" in s for s in read), "the trace saw nothing"
    with sqlite3.connect(home / "callboard.db") as database:
        for statement in sorted(read):
            for *_, step in database.execute(f"EXPLAIN QUERY PLAN {statement}"):
                words = step.split()
                scans = words[0] == "SCAN" and words[1].strip('"') in GROWS
                assert not scans, f"{statement}\n{step}"


def test_a_start_makes_actors_only_for_what_is_live(home: Path) -> None:
    reader = Reader(home / "callboard.db")
    try:
        assert len(reader.workflow_ids()) == 50
        assert reader.unfinished_ids() == []
    finally:
        reader.close()
