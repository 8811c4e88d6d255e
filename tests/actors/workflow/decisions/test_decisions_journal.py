"""The pure `apply` of these tests and the real journal store the same rows."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from bus.facts import encode_fact
from store.change import Operation
from store.database import create_or_migrate
from store.journal import Journal, Stored
from store.reader import Reader
from tests.actors.workflow.decisions.decisions_world import World
from tests.actors.workflow.decisions.test_decisions_walk import make_plan, walk


@pytest.mark.parametrize("seed", range(5))
def test_a_walk_stored_in_sqlite_reads_back_as_the_state_it_was_decided_on(
    seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "callboard.db"
    create_or_migrate(path)
    stored: list[Stored] = []
    deaths: list[str] = []
    journal = Journal(path, stored.extend, deaths.append)
    reader = Reader(path)
    changes = 0

    def store(change: Sequence[Operation]) -> None:
        nonlocal changes
        changes += 1
        journal.commit(change)

    source = random.Random(seed)
    plan = make_plan(source.randint)
    world = World(plan, store)

    def compare(change: Sequence[Operation]) -> None:
        store(change)
        assert reader.workflow("demo") == world.state

    world.on_change = compare
    walk(plan, [source.randrange(1 << 20) for _ in range(70)], world)
    assert changes > 30
    assert not deaths
    for one in stored:
        one.fact.at = ""
    assert [encode_fact(s.fact) for s in stored] == [encode_fact(f) for f in world.told]
    assert reader.plan("demo") == world.plan
    for terminal in world.state.terminals():
        assert reader.terminal_plan(terminal.address).cli == terminal.cli
    reader.close()
    journal.close()
