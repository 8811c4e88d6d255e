"""Stopping actors that wait, are busy, or never stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from actors.supervision.errors import Fenced, StartFailed, StartInterrupted, StartTimeout
from actors.supervision.events import Abandoned, ChildFailed, ChildStopped, DeadLetter
from actors.supervision.spec import SupervisorSpec, worker
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    PATIENCE,
    SOON,
    Log,
    Puppet,
    Run,
    ask,
    life_of,
    node,
    puppet,
    root,
    tell,
)

Grow = Callable[..., Tree]


class Trap:
    """Holds an actor inside its handler until it is released."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()
        self.left = Log()

    def __call__(self, actor: Any) -> None:
        self.entered.set()
        self.release.wait(PATIENCE)
        self.left.add((actor.incarnation, not actor.fence.alive))

    def catch(self, tree: Tree, address: str) -> None:
        tell(tree, address, Run(self))
        assert self.entered.wait(PATIENCE)


@pytest.fixture
def trap() -> Any:
    trap = Trap()
    yield trap
    trap.release.set()


def test_an_actor_that_waits_for_mail_stops_at_once(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a", shutdown=None)))
    tree.root.terminate_child("a")
    assert events.wait_for(ChildStopped, "a/").reason == "shutdown"


def test_an_actor_that_waits_in_a_handler_can_be_woken_by_the_order(grow: Grow) -> None:
    log = Log()
    tree = grow(root(puppet("a", shutdown=None)))
    entered = threading.Event()

    def wait(actor: Any) -> None:
        entered.set()
        log.add(actor.life.stopping.wait())

    tell(tree, "root/a/", Run(wait))
    assert entered.wait(PATIENCE)
    tree.root.terminate_child("a")
    assert log.all() == [True]


def test_a_busy_actor_finishes_its_message_first(grow: Grow, trap: Trap) -> None:
    tree = grow(root(puppet("a", shutdown=None)))
    life = life_of(tree, "root/a/")
    trap.catch(tree, "root/a/")
    stopped = tree.root.terminate_child("a", block=False)
    assert life.stopping.wait(PATIENCE)
    trap.release.set()
    stopped.result(PATIENCE)
    assert trap.left.all() == [(1, False)]


def test_what_does_not_stop_in_time_is_abandoned_fenced_and_reported(
    grow: Grow, events: Log, trap: Trap
) -> None:
    log = Log()
    tree = grow(root(puppet("a", log, shutdown=SOON), puppet("b", log)))
    actor = next(c.ref for c in tree.root.which_children() if c.id == "a")
    assert actor is not None
    life = life_of(tree, "root/a/")
    trap.catch(tree, "root/a/")
    tell(tree, "root/a/", "waits")
    tree.root.terminate_child("a")
    abandoned = events.wait_for(Abandoned, "a/")
    assert abandoned.incarnation == 1
    assert abandoned.stack is not None
    assert "self.release.wait" in abandoned.stack
    with pytest.raises(Fenced):
        life.fence.check()
    with pytest.raises(pykka.ActorDeadError):
        actor.tell("you there?")
    assert node(tree, "root/a/").state == "stopped"
    assert node(tree, "root/a/").abandoned == 1
    assert ask(tree, "root/b/", lambda actor: actor.incarnation) == 1

    tree.root.restart_child("a")
    log.wait(lambda items: "waits" in items)
    assert ask(tree, "root/a/", lambda actor: actor.incarnation) == 2
    before = node(tree, "root/a/").handled

    trap.release.set()
    assert life.done.wait(PATIENCE)
    assert trap.left.all() == [(1, True)]  # it knew that it was fenced
    assert ("stop", "a") not in log.all()  # and had no last words
    after = node(tree, "root/a/")
    assert (after.handled, after.abandoned, after.incarnation) == (before, 0, 2)


def test_the_message_of_an_abandoned_actor_is_a_dead_letter(
    grow: Grow, events: Log, trap: Trap
) -> None:
    log = Log()

    class Mourner(Puppet):
        def on_dead_letter(self, item: Any, error: BaseException) -> None:
            log.add((type(item), type(error).__name__))

    tree = grow(root(worker("a", Mourner, shutdown=SOON)))
    actor = next(c.ref for c in tree.root.which_children())
    assert actor is not None
    answer = actor.ask(Run(trap), block=False)
    assert trap.entered.wait(PATIENCE)
    tree.root.terminate_child("a")
    with pytest.raises(pykka.ActorDeadError, match="abandoned"):
        answer.get(timeout=PATIENCE)
    events.wait_for(DeadLetter, "a/")
    log.wait(lambda items: [name for _, name in items] == ["DidNotStop"])
    assert node(tree, "root/a/").dead_letters == 1


def test_a_shutdown_of_zero_waits_for_nobody(grow: Grow, events: Log, trap: Trap) -> None:
    tree = grow(root(puppet("a", shutdown=0)))
    trap.catch(tree, "root/a/")
    tree.root.terminate_child("a")
    events.wait_for(Abandoned, "a/")


@pytest.mark.usefixtures("events")
def test_an_abandoned_actor_takes_no_mail_from_its_successor(grow: Grow) -> None:
    log = Log()
    tree = grow(root(puppet("a", log, shutdown=0)))
    for n in range(20):
        tree.root.terminate_child("a")
        tree.root.restart_child("a")
        tell(tree, "root/a/", str(n))
    log.wait(lambda items: "19" in items)
    assert [item for item in log.all() if isinstance(item, str)] == [str(n) for n in range(20)]


def test_a_supervisor_that_does_not_stop_in_time_is_abandoned_with_all_below_it(
    grow: Grow, events: Log, trap: Trap
) -> None:
    log = Log()
    children = (puppet("a", log), puppet("b", log, shutdown=None))
    tree = grow(root(SupervisorSpec("s", shutdown=SOON, children=children)))
    first = life_of(tree, "root/s/a/")
    trap.catch(tree, "root/s/b/")
    tell(tree, "root/s/b/", "waits")
    tree.root.terminate_child("s")
    assert tree.drain_events(PATIENCE)
    fenced = [event.address for event in events.of(Abandoned)]
    assert fenced == ["root/s/", "root/s/a/", "root/s/b/"]
    assert not first.fence.alive
    tree.root.restart_child("s")
    log.wait(lambda items: "waits" in items)
    trap.release.set()
    # The abandoned supervisor comes back to find its child stopped, which is nobody's concern now.
    assert first.parent is not None
    assert first.parent.done.wait(PATIENCE)
    for address in ("root/s/a/", "root/s/b/"):
        assert ask(tree, address, lambda actor: actor.incarnation) == 2
        assert node(tree, address).state == "running"
    assert [c.state for c in tree.supervisor("root/s/").which_children()] == ["running"] * 2


def test_a_tree_that_does_not_stop_in_time_is_abandoned(grow: Grow, trap: Trap) -> None:
    tree = grow(root(puppet("a", shutdown=None)))
    life = life_of(tree, "root/a/")
    trap.catch(tree, "root/a/")
    assert tree.stop(SOON) is False
    assert not life.fence.alive
    assert tree.wait(PATIENCE)
    assert not tree.directory.deliver("root/a/", "anybody?")


def test_a_start_that_takes_too_long_has_failed(grow: Grow, events: Log, trap: Trap) -> None:
    tree = grow(root())
    with pytest.raises(StartFailed) as failed:
        tree.root.start_child(puppet("a", None, {"start": trap}, start_timeout=SOON, shutdown=SOON))
    assert isinstance(failed.value.error, StartTimeout)
    assert events.wait_for(Abandoned, "a/").incarnation == 1
    assert tree.root.which_children() == []


def test_an_actor_abandoned_in_init_does_not_start_later(grow: Grow, trap: Trap) -> None:
    log = Log()
    lives = Log()

    def init(actor: Any) -> None:
        lives.add(actor.life)
        trap(actor)

    tree = grow(root())
    with pytest.raises(StartFailed):
        tree.root.start_child(puppet("a", log, {"init": init}, start_timeout=SOON, shutdown=SOON))
    trap.release.set()
    assert lives.all()[0].done.wait(PATIENCE)
    assert log.all() == [("init", "a")]


def test_a_supervisor_that_is_to_stop_does_not_wait_for_a_start(
    grow: Grow, events: Log, trap: Trap
) -> None:
    tree = grow(root(SupervisorSpec("s")))
    hooks: Any = {"start": trap}
    future = tree.supervisor("root/s/").start_child(
        puppet("a", None, hooks, shutdown=SOON), block=False
    )
    assert trap.entered.wait(PATIENCE)
    tree.root.terminate_child("s")
    with pytest.raises(StartFailed) as failed:
        future.result(PATIENCE)
    assert isinstance(failed.value.error, StartInterrupted)
    assert events.wait_for(ChildFailed, "a/")
