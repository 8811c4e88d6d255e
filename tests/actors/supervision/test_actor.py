"""Actors: typed messages, and each of Pykka's traps closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from actors.supervision.errors import Fenced, StartFailed
from actors.supervision.events import ChildFailed, ChildRestarted, ChildStopped
from actors.supervision.life import current_fence, current_life
from actors.supervision.spec import Restart, worker
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    CRASH,
    LEAVE,
    PATIENCE,
    Log,
    Oops,
    Puppet,
    Run,
    ask,
    node,
    oops,
    puppet,
    root,
    tell,
)

Grow = Callable[..., Tree]


def ref(tree: Tree, name: str = "a") -> pykka.ActorRef[Any]:
    child = next(c for c in tree.root.which_children() if c.id == name)
    assert child.ref is not None
    return child.ref


# Pykka's traps


def test_an_exception_in_init_is_a_failed_start(grow: Grow, events: Log) -> None:
    with pytest.raises(StartFailed) as failed:
        grow(root(puppet("a", None, {"init": oops})))
    assert isinstance(failed.value.error, StartFailed)  # the root's start
    assert isinstance(failed.value.error.error, Oops)
    assert isinstance(events.wait_for(ChildFailed, "a/").error, Oops)


def test_an_exception_in_on_start_is_a_failed_start_and_reaches_on_failure(
    grow: Grow, events: Log
) -> None:
    log = Log()
    with pytest.raises(StartFailed, match="root/a/ did not start: Oops"):
        grow(root(puppet("a", log, {"start": oops})))
    assert log.all() == [("init", "a"), ("start", "a"), ("failure", "a")]
    assert isinstance(events.wait_for(ChildFailed, "a/").error, Oops)


def test_an_exception_in_on_start_of_a_restart_is_a_failed_restart(grow: Grow, events: Log) -> None:
    fail_once = iter([False, True])
    hooks = {"start": lambda actor: oops(actor) if next(fail_once, False) else None}
    tree = grow(root(puppet("a", None, hooks)))
    tell(tree, "root/a/", CRASH)
    assert events.wait_for(ChildRestarted, "a/").incarnation == 3


def test_an_exception_in_a_handler_of_tell_restarts_the_actor(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a")))
    ref(tree).tell(CRASH)
    failed = events.wait_for(ChildFailed, "root/a/")
    assert isinstance(failed.error, Oops)
    assert (failed.incarnation, "oops" in failed.traceback) == (1, True)
    assert events.wait_for(ChildRestarted, "root/a/").incarnation == 2
    assert node(tree, "root/a/").last_error == "Oops: as told"


def test_an_exception_in_answer_to_ask_goes_to_the_caller_and_restarts_the_actor(
    grow: Grow, events: Log
) -> None:
    tree = grow(root(puppet("a")))
    with pytest.raises(Oops):
        ref(tree).ask(CRASH, timeout=PATIENCE)
    assert events.wait_for(ChildRestarted, "root/a/").incarnation == 2


def test_an_exception_in_on_stop_of_an_actor_that_stops_itself_is_a_failure(
    grow: Grow, events: Log
) -> None:
    tree = grow(root(puppet("a", None, {"stop": oops}, restart=Restart.TRANSIENT)))
    tell(tree, "root/a/", LEAVE)
    assert isinstance(events.wait_for(ChildFailed, "a/").error, Oops)
    assert events.wait_for(ChildRestarted, "a/").incarnation == 2
    tree.root.terminate_child("a")  # so that the end of the test finds it stopped


def test_an_exception_in_on_stop_of_an_ordered_stop_is_reported_and_restarts_nothing(
    grow: Grow, events: Log
) -> None:
    tree = grow(root(puppet("a", None, {"stop": oops}), puppet("b")))
    tree.root.terminate_child("a")
    assert isinstance(events.wait_for(ChildFailed, "a/").error, Oops)
    assert node(tree, "root/a/").state == "stopped"
    assert node(tree, "root/a/").last_error == "Oops: as told"
    assert tree.root.count_children().active == 1


def test_an_exception_in_on_failure_is_told_with_the_first_one(grow: Grow, events: Log) -> None:
    def worse(_actor: Any) -> None:
        raise KeyError("worse")

    tree = grow(root(puppet("a", None, {"failure": worse})))
    tell(tree, "root/a/", CRASH)
    failed = events.wait_for(ChildFailed, "a/")
    assert isinstance(failed.error, Oops)
    assert "on_failure raised KeyError: 'worse'" in failed.traceback
    assert events.wait_for(ChildRestarted, "a/")


@pytest.mark.parametrize("fatal", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_exit_inside_a_handler_ends_that_actor_only(
    grow: Grow, events: Log, fatal: type[BaseException]
) -> None:
    def leave(_actor: Any) -> None:
        raise fatal

    stranger = Puppet.start()
    tree = grow(root(puppet("a"), puppet("b")))
    tell(tree, "root/a/", Run(leave))
    assert isinstance(events.wait_for(ChildFailed, "a/").error, fatal)
    assert events.wait_for(ChildRestarted, "a/").incarnation == 2
    assert ask(tree, "root/b/", lambda actor: actor.incarnation) == 1
    assert stranger.ask("still here", timeout=PATIENCE) == "still here"
    stranger.stop()


def test_an_exit_while_answering_does_not_exit_the_asker(grow: Grow, events: Log) -> None:
    def leave(_actor: Any) -> None:
        raise SystemExit(3)

    tree = grow(root(puppet("a")))
    with pytest.raises(pykka.ActorDeadError, match="SystemExit: 3"):
        ref(tree).ask(Run(leave), timeout=PATIENCE)
    assert events.wait_for(ChildRestarted, "a/")


def test_an_actor_that_stops_itself_ends_normally(grow: Grow, events: Log) -> None:
    log = Log()
    tree = grow(root(puppet("a", log, restart=Restart.TRANSIENT)))
    tell(tree, "root/a/", LEAVE)
    assert events.wait_for(ChildStopped, "a/").reason == "normal"
    assert log.all()[-1] == ("stop", "a")
    assert tree.root.which_children()[0].state == "stopped"
    assert not events.of(ChildFailed)


def test_a_permanent_actor_that_stops_itself_is_restarted(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a")))
    tell(tree, "root/a/", LEAVE)
    assert events.wait_for(ChildRestarted, "a/").incarnation == 2


def test_an_actor_can_stop_itself_while_it_starts(grow: Grow, events: Log) -> None:
    grow(root(puppet("a", None, {"start": lambda actor: actor.stop()}, restart=Restart.TEMPORARY)))
    assert events.wait_for(ChildStopped, "a/").reason == "normal"


@pytest.mark.usefixtures("events")
def test_what_waits_when_an_actor_stops_itself_is_for_the_next_incarnation(
    grow: Grow,
) -> None:
    log, go = Log(), threading.Event()
    tree = grow(root(puppet("a", log)))

    def leave(actor: Any) -> None:
        go.wait(PATIENCE)
        actor.stop()

    tell(tree, "root/a/", Run(leave))
    tell(tree, "root/a/", "later")
    go.set()
    log.wait(lambda items: "later" in items)
    assert log.all().index("later") > log.all().index(("stop", "a"))
    assert ask(tree, "root/a/", lambda actor: actor.incarnation) == 2


def test_a_stop_through_pykkas_reference_is_a_normal_end_after_earlier_mail(
    grow: Grow, events: Log
) -> None:
    log = Log()
    tree = grow(root(puppet("a", log, restart=Restart.TRANSIENT)))
    actor = ref(tree)
    actor.tell("first")
    assert actor.stop(timeout=PATIENCE) is True
    assert log.all()[-2:] == ["first", ("stop", "a")]
    assert events.wait_for(ChildStopped, "a/").reason == "normal"
    assert actor.stop(timeout=PATIENCE) is False


def test_telling_a_dead_actor_is_an_error(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a", restart=Restart.TEMPORARY)))
    actor = ref(tree)
    tell(tree, "root/a/", LEAVE)
    events.wait_for(ChildStopped, "a/")
    with pytest.raises(pykka.ActorDeadError):
        actor.tell("anybody there?")
    with pytest.raises(pykka.ActorDeadError):
        actor.ask("anybody there?", timeout=PATIENCE)
    assert not tree.directory.deliver("root/a/", "anybody there?")


def test_a_reference_is_to_one_incarnation_an_address_to_all(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a")))
    first = ref(tree)
    first.tell(CRASH)
    events.wait_for(ChildRestarted, "a/")
    with pytest.raises(pykka.ActorDeadError):
        first.tell("old friend?")
    assert ask(tree, "root/a/", lambda actor: actor.incarnation) == 2


@pytest.mark.usefixtures("events")
def test_an_actor_knows_its_address_incarnation_and_how_much_was_handled(
    grow: Grow,
) -> None:
    tree = grow(root(puppet("a", address="public/")))
    tell(tree, "public/", "one")
    tell(tree, "public/", CRASH)
    tell(tree, "public/", "two")
    facts = ask(tree, "public/", lambda a: (a.address, a.incarnation, a.handled, not a.fence.alive))
    assert facts == ("public/", 2, 2, False)


def test_its_threads_are_daemons_and_run_everything_init_as_well(grow: Grow) -> None:
    log = Log()
    hooks = {name: lambda _: log.add(threading.current_thread()) for name in ("init", "start")}
    tree = grow(root(puppet("a", None, hooks)))
    ask(tree, "root/a/", lambda _: log.add(threading.current_thread()))
    assert len(set(log.all())) == 1
    assert log.all()[0].daemon
    assert log.all()[0].name == "root/a/#1"


def test_the_fence_stands_while_the_actor_lives_and_falls_for_good(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a", None, {"stop": lambda a: a.fence.check()})))
    fence = ask(tree, "root/a/", lambda _: current_fence())
    fence.check()
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildRestarted, "a/")
    with pytest.raises(Fenced, match="root/a/ incarnation 1"):
        fence.check()
    assert ask(tree, "root/a/", lambda actor: actor.fence.alive)
    assert current_fence() is None
    assert current_life() is None


def test_a_start_must_make_exactly_one_actor(grow: Grow) -> None:
    with pytest.raises(StartFailed, match="must make exactly one Actor"):
        grow(root(worker("a", lambda: "no actor")))  # type: ignore[arg-type, return-value]


def test_an_actor_may_start_actors_of_its_own(grow: Grow) -> None:
    tree = grow(root(puppet("a")))

    def help_me(_actor: Any) -> Any:
        helper = Puppet.start()
        try:
            return helper.ask(Run(lambda a: a.address), timeout=PATIENCE)
        finally:
            helper.stop(timeout=PATIENCE)

    assert ask(tree, "root/a/", help_me) == "Puppet"


# Without a supervisor


def test_without_a_supervisor_it_is_a_pykka_actor_whose_failure_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Log()
    actor = Puppet.start(log)
    life: Any = actor.ask(Run(lambda a: a.life), timeout=PATIENCE)
    with pytest.raises(Oops):
        actor.ask(CRASH, timeout=PATIENCE)
    assert life.done.wait(PATIENCE)
    assert "Puppet failed; it has no supervisor that restarts it" in caplog.text
    assert actor not in pykka.ActorRegistry.get_all()
    with pytest.raises(pykka.ActorDeadError):
        actor.tell("late")


def test_without_a_supervisor_asking_for_it_is_an_error() -> None:
    actor = Puppet.start()
    with pytest.raises(LookupError, match="Puppet has no supervisor"):
        actor.ask(Run(lambda a: a.supervisor), timeout=PATIENCE)
