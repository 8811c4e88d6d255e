"""Supervisors can be called from anywhere, from inside an actor's handler as well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors.supervision.errors import CallerStopping, NoSupervisor, StartFailed, WouldDeadlock
from actors.supervision.events import ChildRestarted, ChildStopped
from actors.supervision.spec import Restart, SupervisorSpec
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    CRASH,
    PATIENCE,
    Log,
    Run,
    ask,
    life_of,
    node,
    puppet,
    root,
    tell,
)

Grow = Callable[..., Tree]


def test_an_actor_can_have_its_own_supervisor_start_a_sibling(grow: Grow) -> None:
    tree = grow(root(puppet("a")))
    ask(tree, "root/a/", lambda actor: actor.supervisor.start_child(puppet("b")))
    assert ask(tree, "root/b/", lambda actor: actor.incarnation) == 1


def test_an_actor_can_have_its_own_supervisor_terminate_a_sibling(grow: Grow) -> None:
    tree = grow(root(puppet("a"), puppet("b")))
    ask(tree, "root/a/", lambda actor: actor.supervisor.terminate_child("b"))
    assert node(tree, "root/b/").state == "stopped"


def test_an_actor_cannot_wait_for_its_own_end(grow: Grow) -> None:
    tree = grow(root(SupervisorSpec("s", children=(puppet("a"),))))
    answer = ask(tree, "root/s/a/", lambda actor: actor.supervisor.terminate_child("a"))
    assert isinstance(answer, WouldDeadlock)
    answer = ask(tree, "root/s/a/", lambda _: tree.root.terminate_child("s"))
    assert isinstance(answer, WouldDeadlock)
    answer = ask(tree, "root/s/a/", lambda _: tree.stop())
    assert isinstance(answer, WouldDeadlock)
    assert tree.root.count_children().active == 1


def test_an_actor_can_order_its_own_end(grow: Grow, events: Log) -> None:
    tree = grow(root(SupervisorSpec("s", children=(puppet("a"), puppet("b")))))
    ask(tree, "root/s/a/", lambda actor: actor.supervisor.terminate_child("a", block=False))
    assert events.wait_for(ChildStopped, "a/").reason == "shutdown"
    ask(tree, "root/s/b/", lambda _: tree.order_stop())
    assert tree.wait(PATIENCE)


def test_an_actor_that_starts_cannot_call_the_supervisor_that_waits_for_it(grow: Grow) -> None:
    def call(actor: Any) -> None:
        actor.supervisor.which_children()

    with pytest.raises(StartFailed, match="WouldDeadlock"):
        grow(root(SupervisorSpec("s", children=(puppet("a", None, {"start": call}),))))


def test_an_actor_that_starts_cannot_call_a_supervisor_further_up_that_waits_for_it(
    grow: Grow,
) -> None:
    above: list[Any] = []

    def call(actor: Any) -> None:

        above.append(actor.supervisor.parent)
        above[0].which_children()

    with pytest.raises(StartFailed, match="WouldDeadlock"):
        grow(root(SupervisorSpec("s", children=(puppet("a", None, {"start": call}),))))
    assert above


def test_an_actor_that_starts_can_call_a_supervisor_that_does_not_wait_for_it(
    grow: Grow, events: Log
) -> None:
    log = Log()

    def call(actor: Any) -> None:
        if actor.incarnation == 2:
            log.add(tree.root.count_children().specs)
            log.add(actor.supervisor.start_child(puppet("b"), block=False))

    tree = grow(
        root(SupervisorSpec("s", intensity=9, children=(puppet("a", None, {"start": call}),)))
    )
    tell(tree, "root/s/a/", CRASH)
    events.wait_for(ChildRestarted, "a/")
    assert log.all()[0] == 1
    log.all()[1].result(PATIENCE)
    assert ask(tree, "root/s/b/", lambda actor: actor.incarnation) == 1


def test_an_actor_that_waits_for_its_supervisor_can_be_stopped_by_it(grow: Grow) -> None:
    caught = Log()
    tree = grow(root(puppet("a", shutdown=None), puppet("busy", shutdown=None)))
    hold, release = threading.Event(), threading.Event()

    def keep_the_supervisor_waiting(_actor: Any) -> None:
        hold.set()
        release.wait(PATIENCE)

    def call(actor: Any) -> None:
        hold.set()
        try:
            actor.supervisor.which_children()
        except CallerStopping as error:
            caught.add(error)

    life, busy = life_of(tree, "root/a/"), life_of(tree, "root/busy/")
    tell(tree, "root/busy/", Run(keep_the_supervisor_waiting))
    assert hold.wait(PATIENCE)
    tree.root.terminate_child("busy", block=False)
    assert busy.stopping.wait(PATIENCE)  # the supervisor waits for it from now on
    hold.clear()
    tell(tree, "root/a/", Run(call))
    assert hold.wait(PATIENCE)
    life.order_stop()
    assert life.done.wait(PATIENCE)
    assert len(caught.all()) == 1
    release.set()


def test_an_actor_that_was_ordered_to_stop_does_not_wait_for_its_supervisor(grow: Grow) -> None:
    caught = Log()
    tree = grow(root(puppet("a", shutdown=None)))
    entered = threading.Event()

    def call_late(actor: Any) -> None:
        entered.set()
        actor.life.stopping.wait()
        try:
            actor.supervisor.which_children()
        except CallerStopping as error:
            caught.add(error)

    tell(tree, "root/a/", Run(call_late))
    assert entered.wait(PATIENCE)
    tree.root.terminate_child("a")
    assert len(caught.all()) == 1


def test_calls_that_wait_when_the_supervisor_ends_are_answered(grow: Grow) -> None:
    tree = grow(root(puppet("a", shutdown=None)))
    entered, release = threading.Event(), threading.Event()

    def wait(_actor: Any) -> None:
        entered.set()
        release.wait(PATIENCE)

    life = life_of(tree, "root/a/")
    tell(tree, "root/a/", Run(wait))
    assert entered.wait(PATIENCE)
    stopped = tree.root.terminate_child("a", block=False)
    assert life.stopping.wait(PATIENCE)
    late = tree.root.start_child(puppet("b"), block=False)
    tree.order_stop()
    release.set()
    stopped.result(PATIENCE)
    with pytest.raises(NoSupervisor):
        late.result(PATIENCE)


def test_a_caller_that_gave_up_waiting_does_no_harm(grow: Grow) -> None:
    tree = grow(root(puppet("a", shutdown=None)))
    entered, release = threading.Event(), threading.Event()

    def wait(_actor: Any) -> None:
        entered.set()
        release.wait(PATIENCE)

    tell(tree, "root/a/", Run(wait))
    assert entered.wait(PATIENCE)
    future = tree.root.terminate_child("a", block=False)
    assert future.cancel()
    release.set()
    assert tree.root.which_children()[0].state == "stopped"


def test_a_temporary_child_that_is_terminated_is_forgotten(grow: Grow) -> None:
    tree = grow(root(puppet("a", restart=Restart.TEMPORARY)))
    tree.root.terminate_child("a")
    assert tree.root.which_children() == []
