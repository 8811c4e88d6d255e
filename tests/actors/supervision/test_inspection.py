"""Looking at a tree, and the watchdog."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.supervision.events import ChildRestarted, Stuck
from actors.supervision.spec import Restart, Strategy, SupervisorSpec
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    CRASH,
    PATIENCE,
    SOON,
    Log,
    Run,
    ask,
    node,
    puppet,
    root,
    tell,
)

Grow = Callable[..., Tree]


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_the_tree_shows_every_actor_with_its_facts(grow: Grow, events: Log) -> None:
    inner = SupervisorSpec("s", restart=Restart.TRANSIENT, strategy=Strategy.REST_FOR_ONE,
                           intensity=9, children=(puppet("a"),))  # fmt: skip
    tree = grow(root(inner, puppet("b", restart=Restart.TEMPORARY)))
    tell(tree, "root/s/a/", CRASH)
    events.wait_for(ChildRestarted, "a/")
    ask(tree, "root/s/a/", lambda _: None)
    whole = tree.inspect()
    assert [child.address for child in whole.children] == ["root/s/", "root/b/"]
    s, b = whole.children
    assert (s.id, s.kind, s.strategy, s.restart) == ("s", "supervisor", "rest_for_one", "transient")
    assert (b.kind, b.strategy, b.restart, b.children) == ("worker", None, "temporary", ())
    (a,) = s.children
    assert (a.state, a.incarnation, a.restarts) == ("running", 2, 1)
    assert (a.last_error, a.dead_letters, a.mailbox_depth) == ("Oops: as told", 1, 0)
    assert a.uptime is not None
    assert a.uptime >= 0
    assert (a.stuck, a.stack, a.abandoned, a.next_start_in) == (None, None, 0, None)


def test_looking_works_while_actors_and_their_supervisor_are_stuck(
    grow: Grow, release: threading.Event
) -> None:
    entered = threading.Event()

    def get_lost(_actor: Any) -> None:
        entered.set()
        release.wait(PATIENCE)

    tree = grow(root(puppet("a", shutdown=None), puppet("b")), stuck_after=0)
    tell(tree, "root/a/", Run(get_lost))
    assert entered.wait(PATIENCE)
    stopped = tree.root.terminate_child("a", block=False)  # keeps the supervisor waiting
    tell(tree, "root/a/", "waits")
    a = node(tree, "root/a/")
    assert a.stuck is not None
    assert a.stack is not None
    assert "get_lost" in a.stack
    assert (a.doing, a.mailbox_depth) == ("Run", 1)
    assert node(tree, "root/b/").stuck is None
    assert ask(tree, "root/b/", lambda _: "goes on") == "goes on"
    release.set()
    stopped.result(PATIENCE)


def test_an_actor_that_is_too_long_at_one_message_is_reported_once_with_its_stack(
    grow: Grow, events: Log, release: threading.Event
) -> None:
    def get_lost(_actor: Any) -> None:
        release.wait(PATIENCE)

    tree = grow(root(puppet("a"), puppet("b")), stuck_after=SOON)
    tell(tree, "root/a/", Run(get_lost))
    report = events.wait_for(Stuck, "a/")
    assert report.seconds >= SOON
    assert report.stack is not None
    assert "get_lost" in report.stack
    assert (report.doing, report.incarnation) == ("Run", 1)
    # A second one, begun later, is reported while the first is not reported again.
    tell(tree, "root/b/", Run(get_lost))
    events.wait_for(Stuck, "b/")
    assert len(events.of(Stuck, "a/")) == 1


def test_a_start_that_hangs_is_reported(grow: Grow, events: Log, release: threading.Event) -> None:
    tree = grow(root(), stuck_after=SOON)
    future = tree.root.start_child(
        puppet("a", None, {"start": lambda _: release.wait(PATIENCE)}), block=False
    )
    assert events.wait_for(Stuck, "a/").doing == "on_start"
    assert node(tree, "root/a/").state == "starting"
    release.set()
    future.result(PATIENCE)


def test_each_message_is_timed_by_itself(grow: Grow) -> None:
    tree = grow(root(puppet("a")))
    first, second = (ask(tree, "root/a/", lambda actor: actor.life.busy_since) for _ in range(2))
    assert first < second


def test_the_watchdog_sleeps_without_a_timer_while_nothing_is_handled(grow: Grow) -> None:
    tree = grow(root(puppet("a"), puppet("b")), stuck_after=SOON)
    watchdog = tree._watchdog  # noqa: SLF001
    ask(tree, "root/a/", lambda _: None)
    asleep = threading.Event()

    def until_asleep() -> None:
        while watchdog._awake or watchdog._wake.is_set():  # noqa: SLF001
            threading.Event().wait(SOON / 5)
        asleep.set()

    threading.Thread(target=until_asleep, daemon=True).start()
    assert asleep.wait(PATIENCE)
    # Nothing wakes it now but an actor that starts on something.
    tell(tree, "root/b/", Run(lambda _: None))
    ask(tree, "root/b/", lambda _: None)
    assert watchdog._thread is not None  # noqa: SLF001
    assert watchdog._thread.is_alive()  # noqa: SLF001
