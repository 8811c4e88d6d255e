"""The supervisor of many like children, started on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors.supervision.errors import AlreadyStarted, IsDynamic, NotFound, StartFailed
from actors.supervision.events import ChildFailed, ChildRestarted, ChildStopped, GaveUp
from actors.supervision.ref import Counts, SupervisorRef
from actors.supervision.spec import DynamicSpec, Restart
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    CRASH,
    LEAVE,
    PATIENCE,
    Log,
    ask,
    node,
    oops,
    puppet,
    root,
    tell,
)

Grow = Callable[..., Tree]


@pytest.fixture
def pool(grow: Grow) -> tuple[Tree, SupervisorRef]:
    tree = grow(root(DynamicSpec("pool", intensity=100)))
    return tree, tree.supervisor("root/pool/")


def test_it_starts_with_no_children_and_each_comes_on_demand(
    pool: tuple[Tree, SupervisorRef],
) -> None:
    tree, ref = pool
    assert ref.count_children() == Counts(0, 0, 0, 0)
    ref.start_child(puppet("a"))
    with pytest.raises(AlreadyStarted):
        ref.start_child(puppet("a"))
    assert ref.count_children() == Counts(specs=1, active=1, supervisors=0, workers=1)
    assert node(tree, "root/pool/").strategy == "dynamic"


def test_a_child_that_fails_is_restarted_alone(
    pool: tuple[Tree, SupervisorRef], events: Log
) -> None:
    tree, ref = pool
    ref.start_child(puppet("a"))
    ref.start_child(puppet("b"))
    tell(tree, "root/pool/a/", CRASH)
    events.wait_for(ChildRestarted, "a/")
    assert ask(tree, "root/pool/b/", lambda actor: actor.incarnation) == 1


def test_a_child_whose_restart_fails_is_tried_again(grow: Grow, events: Log) -> None:
    tree = grow(root(DynamicSpec("pool", intensity=3)))
    ref = tree.supervisor("root/pool/")
    fail = threading.Event()
    ref.start_child(
        puppet("a", None, {"start": lambda actor: oops(actor) if fail.is_set() else None})
    )
    fail.set()
    tell(tree, "root/pool/a/", CRASH)
    events.wait_for(GaveUp, "pool/")
    events.wait_for(ChildRestarted, "pool/")
    assert len(events.of(ChildFailed, "a/")) == 4
    assert ref.which_children() == []


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
def test_what_has_ended_for_good_is_forgotten(
    pool: tuple[Tree, SupervisorRef], events: Log, restart: Restart
) -> None:
    tree, ref = pool
    ref.start_child(puppet("a", restart=restart))
    tell(tree, "root/pool/a/", LEAVE)
    events.wait_for(ChildStopped, "a/")
    assert ref.which_children() == []
    assert tree.directory.addresses() == []
    ref.start_child(puppet("a"))


def test_what_is_terminated_is_forgotten(pool: tuple[Tree, SupervisorRef]) -> None:
    _, ref = pool
    ref.start_child(puppet("a"))
    ref.terminate_child("a")
    assert ref.which_children() == []
    with pytest.raises(NotFound):
        ref.terminate_child("a")


def test_nothing_can_be_restarted_or_deleted(pool: tuple[Tree, SupervisorRef]) -> None:
    _, ref = pool
    with pytest.raises(IsDynamic):
        ref.restart_child("a")
    with pytest.raises(IsDynamic):
        ref.delete_child("a")


def test_a_child_that_does_not_start_is_not_kept(pool: tuple[Tree, SupervisorRef]) -> None:
    _, ref = pool
    with pytest.raises(StartFailed):
        ref.start_child(puppet("a", None, {"start": oops}))
    assert ref.which_children() == []


def test_all_children_are_stopped_at_once(grow: Grow) -> None:
    count = 8
    together = threading.Barrier(count)
    met = Log()

    def stop(actor: Any) -> None:
        together.wait(PATIENCE)  # breaks unless all are stopping
        met.add(actor.name)

    tree = grow(root(DynamicSpec("pool")))
    for n in range(count):
        tree.supervisor("root/pool/").start_child(
            puppet(f"w{n}", None, {"stop": stop}, shutdown=None)
        )
    assert tree.stop(PATIENCE)
    assert len(met.all()) == count


def test_a_thousand_children_are_started_and_stopped(
    pool: tuple[Tree, SupervisorRef], events: Log
) -> None:
    tree, ref = pool
    log = Log()
    futures = [ref.start_child(puppet(f"w{n}", log), block=False) for n in range(1000)]
    for future in futures:
        future.result(PATIENCE * 4)
    assert ref.count_children().active == 1000
    for n in range(1000):
        tell(tree, f"root/pool/w{n}/", str(n))
    log.wait(lambda items: len(items) == 3000)
    assert len({item for item in log.all() if isinstance(item, str)}) == 1000
    assert tree.stop(PATIENCE * 4)
    assert tree.drain_events(PATIENCE)
    stopped = events.of(ChildStopped)
    assert len({e.address for e in stopped if e.reason == "shutdown"}) == 1001
    assert tree.directory.addresses() == []
