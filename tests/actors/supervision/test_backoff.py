"""Waiting before a child that keeps failing is started again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from actors.supervision.backoff import NO_BACKOFF, Backoff, RestartState
from actors.supervision.events import ChildFailed, ChildRestarted, ChildStopped
from actors.supervision.spec import Strategy
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    CRASH,
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

STEADY = Backoff(initial=1, factor=2, maximum=10, jitter=0, reset_after=60)


def delays(backoff: Backoff, count: int) -> list[float]:
    rng = random.Random(1)
    return [backoff.delay(RestartState(n, 0.0), rng) for n in range(count)]


def test_the_delay_grows_by_the_factor_up_to_the_maximum() -> None:
    assert delays(STEADY, 7) == [0, 1, 2, 4, 8, 10, 10]


def test_an_initial_delay_of_zero_switches_it_off() -> None:
    assert delays(NO_BACKOFF, 5) == [0, 0, 0, 0, 0]


def test_jitter_spreads_the_delay_either_way_but_not_above_the_maximum() -> None:
    backoff = Backoff(initial=8, factor=2, maximum=10, jitter=0.5)
    rng = random.Random(1)
    first = [backoff.delay(RestartState(1, 0.0), rng) for _ in range(500)]
    assert 4 <= min(first) < 5
    assert 9 < max(first) <= 10
    assert len(set(first)) > 100


def test_a_child_that_fails_for_ever_does_not_overflow() -> None:
    assert STEADY.delay(RestartState(10**6, 0.0), random.Random(1)) == 10


def test_a_child_that_has_lived_is_forgiven() -> None:
    state = RestartState(5, 100.0)
    assert STEADY.after_failure(state, 200.0, lived=59) == RestartState(6, 200.0)
    assert STEADY.after_failure(state, 200.0, lived=60) == RestartState(1, 200.0)


def test_a_failure_of_long_ago_is_not_recalled() -> None:
    state = RestartState(5, 1000.0)
    assert STEADY.recall(state, 1000.0 + 70) == state
    assert STEADY.recall(state, 1000.0 + 71) == RestartState()
    assert STEADY.recall(None, 0.0) == RestartState()


@pytest.mark.parametrize(
    "wrong",
    [{"initial": -1}, {"factor": 0.5}, {"maximum": 0.01}, {"jitter": 1}, {"reset_after": -1}],
)
def test_a_back_off_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="back-off"):
        Backoff(**wrong)


class Store:
    def __init__(self, **known: RestartState) -> None:
        self.saved = Log()
        self.known = known

    def load(self, address: str) -> RestartState | None:
        return self.known.get(address.rstrip("/").rsplit("/", 1)[-1])

    def save(self, address: str, state: RestartState) -> None:
        self.saved.add((address, state))


def test_a_failed_child_is_started_again_after_the_delay(grow: Grow, events: Log) -> None:
    quick = Backoff(initial=0.02, factor=2, maximum=0.04, jitter=0)
    tree = grow(root(puppet("a", backoff=quick)))
    tell(tree, "root/a/", CRASH)
    failed = events.wait_for(ChildFailed, "a/")
    restarted = events.wait_for(ChildRestarted, "a/")
    assert restarted.at - failed.at > 0.015  # the clock is the wall's


def test_a_delay_that_is_not_over_keeps_the_child_restarting(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a", backoff=Backoff(initial=3600, maximum=3600, jitter=0))))
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildFailed, "a/")
    tree.root.which_children()
    here = node(tree, "root/a/")
    assert (here.state, here.uptime) == ("restarting", None)
    assert here.next_start_in is not None
    assert 3000 < here.next_start_in <= 3600


def test_a_failed_restart_waits_as_well(grow: Grow, events: Log) -> None:
    quick = Backoff(initial=0.01, factor=1, maximum=0.01, jitter=0)
    fails = iter([False, True, True])
    hooks = {"start": lambda actor: oops(actor) if next(fails, False) else None}
    tree = grow(root(puppet("a", None, hooks, backoff=quick)))
    tell(tree, "root/a/", CRASH)
    assert events.wait_for(ChildRestarted, "a/").incarnation == 4


def test_what_is_restarted_with_the_child_is_stopped_at_once_and_started_with_it(
    grow: Grow, events: Log
) -> None:
    quick = Backoff(initial=0.05, factor=1, maximum=0.05, jitter=0)
    tree = grow(root(puppet("a", backoff=quick), puppet("b"), strategy=Strategy.ONE_FOR_ALL))
    tell(tree, "root/a/", CRASH)
    stopped = events.wait_for(ChildStopped, "b/")
    assert events.wait_for(ChildRestarted, "a/").at - stopped.at > 0.04
    events.wait_for(ChildRestarted, "b/")
    assert ask(tree, "root/b/", lambda actor: actor.incarnation) == 2


def test_a_restart_counts_once_however_long_it_waits(grow: Grow, events: Log) -> None:
    quick = Backoff(initial=0.01, factor=1, maximum=0.01, jitter=0)
    tree = grow(root(puppet("a", backoff=quick), intensity=3, period=3600))
    for n in range(1, 4):
        tell(tree, "root/a/", CRASH)
        events.wait_for(ChildRestarted, "a/", count=n)
    tell(tree, "root/a/", CRASH)
    assert tree.wait(PATIENCE)


@pytest.mark.usefixtures("events")
def test_a_looping_child_is_remembered_by_the_next_process(grow: Grow) -> None:
    slow = Backoff(initial=1, factor=100, maximum=3600, jitter=0)
    store = Store(a=RestartState(1, time.time()))
    tree = grow(root(puppet("a", backoff=slow)), restart_store=store)
    tell(tree, "root/a/", CRASH)
    store.saved.wait(lambda items: items)
    address, state = store.saved.all()[0]
    assert (address, state.failures) == ("root/a/", 2)
    tree.root.which_children()
    left = node(tree, "root/a/").next_start_in
    assert left is not None
    assert left > 50  # and not one second


def test_a_store_that_fails_does_not_stop_the_tree(
    grow: Grow, events: Log, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def load(self, _address: str) -> RestartState | None:
            raise OSError("disk on fire")

        def save(self, _address: str, _state: RestartState) -> None:
            raise OSError("disk on fire")

    quick = Backoff(initial=0.01, maximum=0.01, jitter=0)
    tree = grow(root(puppet("a", backoff=quick)), restart_store=Broken())
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildRestarted, "a/")
    assert tree.drain_events(PATIENCE)
    assert "the restart state of root/a/ could not be loaded" in caplog.text
    assert "a hook of the supervision tree failed" in caplog.text


def test_a_delay_that_was_cut_short_starts_nothing_when_it_is_over(grow: Grow, events: Log) -> None:
    short_then_long = Backoff(initial=0.1, factor=36000, maximum=3600, jitter=0)
    longer = Backoff(initial=0.2, maximum=1, jitter=0)
    tree = grow(root(puppet("a", backoff=short_then_long), puppet("b", backoff=longer)))
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildFailed, "a/")
    tree.root.terminate_child("a")
    tree.root.restart_child("a")
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildFailed, "a/", count=2)
    tell(tree, "root/b/", CRASH)
    events.wait_for(ChildRestarted, "b/")  # and so the first delay of the other is over, too
    assert [child.state for child in tree.root.which_children()] == ["restarting", "running"]
