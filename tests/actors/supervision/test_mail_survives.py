"""Mailboxes that survive restarts, and what becomes of mail that nobody will read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from actors.supervision.backoff import Backoff
from actors.supervision.events import (
    ChildFailed,
    ChildRestarted,
    ChildStopped,
    DeadLetter,
)
from actors.supervision.spec import Restart, Strategy, SupervisorSpec
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    CRASH,
    LEAVE,
    PATIENCE,
    Log,
    Oops,
    Run,
    ask,
    life_of,
    node,
    puppet,
    root,
    tell,
)

Grow = Callable[..., Tree]
FOR_EVER = Backoff(initial=3600, maximum=3600, jitter=0)


def test_waiting_messages_go_to_the_next_incarnation_in_order(grow: Grow, events: Log) -> None:
    log, entered, go = Log(), threading.Event(), threading.Event()
    tree = grow(root(puppet("a", log)))

    def wait_and_crash(_actor: Any) -> None:
        entered.set()
        go.wait(PATIENCE)
        raise Oops("broken by this one")

    broken = Run(wait_and_crash)
    tell(tree, "root/a/", broken)
    assert entered.wait(PATIENCE)
    actor = next(c.ref for c in tree.root.which_children())
    assert actor is not None
    answer = actor.ask("asked", block=False)
    for word in ("one", "two", "three"):
        tell(tree, "root/a/", word)
    assert node(tree, "root/a/").mailbox_depth == 4
    go.set()
    log.wait(lambda items: "three" in items)
    assert [item for item in log.all() if isinstance(item, str)] == ["asked", "one", "two", "three"]
    assert answer.get(timeout=PATIENCE) == "asked"
    assert tree.drain_events(PATIENCE)
    letters = events.of(DeadLetter)
    assert [(e.item, type(e.error), e.incarnation) for e in letters] == [(broken, Oops, 1)]
    assert node(tree, "root/a/").dead_letters == 1


def test_an_address_takes_mail_while_its_actor_is_between_two_incarnations(
    grow: Grow, events: Log
) -> None:
    log = Log()
    tree = grow(root(puppet("a", log, backoff=FOR_EVER)))
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildFailed, "a/")
    tell(tree, "root/a/", "while it was away")
    assert node(tree, "root/a/").mailbox_depth == 1
    tree.root.terminate_child("a")
    assert not tree.directory.deliver("root/a/", "while it is stopped")
    tree.root.restart_child("a")
    log.wait(lambda items: "while it was away" in items)


def test_the_siblings_of_a_failed_actor_keep_their_mail(grow: Grow, events: Log) -> None:
    log = Log()
    spec = root(
        puppet("a", log), puppet("b", log), strategy=Strategy.ONE_FOR_ALL, children_backoff=FOR_EVER
    )
    tree = grow(spec)
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildStopped, "b/")
    tell(tree, "root/b/", "for the next one")
    assert node(tree, "root/b/").state == "stopped"
    tree.root.terminate_child("a")  # nobody will be restarted now
    assert not tree.directory.deliver("root/b/", "nobody")
    tree.root.restart_child("b")
    log.wait(lambda items: "for the next one" in items)


def test_the_mail_of_a_deleted_child_is_reported(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a", backoff=FOR_EVER)))
    tell(tree, "root/a/", CRASH)
    events.wait_for(ChildFailed, "a/")
    tell(tree, "root/a/", "never read")
    tree.root.terminate_child("a")
    tree.root.delete_child("a")
    letter = events.wait_for(DeadLetter, "a/", count=2)
    assert (letter.item, letter.error) == ("never read", None)


def test_the_mail_of_a_temporary_child_that_ends_is_reported(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a", None, {"stop": lambda a: a.life.mailbox.put("last words")},
                            restart=Restart.TEMPORARY)))  # fmt: skip
    tell(tree, "root/a/", LEAVE)
    assert events.wait_for(DeadLetter, "a/").item == "last words"
    assert tree.directory.addresses() == []


def test_children_keep_their_mail_while_their_supervisor_is_restarted(
    grow: Grow, events: Log
) -> None:
    log = Log()
    inner = SupervisorSpec("s", intensity=0, children=(puppet("a"), puppet("b", log)),
                           backoff=FOR_EVER)  # fmt: skip
    tree = grow(root(inner, puppet("c")))
    tell(tree, "root/s/a/", CRASH)
    events.wait_for(ChildStopped, "root/s/")
    tell(tree, "root/s/b/", "for the next one")
    tree.root.terminate_child("s")
    assert not tree.directory.deliver("root/s/b/", "nobody")
    tree.root.restart_child("s")
    log.wait(lambda items: "for the next one" in items)
    assert ask(tree, "root/s/b/", lambda actor: actor.incarnation) == 2


def test_a_restarted_supervisor_does_not_start_what_was_added_later(
    grow: Grow, events: Log
) -> None:
    tree = grow(root(SupervisorSpec("s", intensity=0, children=(puppet("a"),))))
    tree.supervisor("root/s/").start_child(puppet("added"))
    tell(tree, "root/s/a/", CRASH)
    events.wait_for(ChildRestarted, "s/")
    assert [c.id for c in tree.supervisor("root/s/").which_children()] == ["a"]
    assert not tree.directory.deliver("root/s/added/", "anybody?")


def test_a_stopped_tree_answers_those_who_wait(grow: Grow) -> None:
    tree = grow(root(puppet("a", backoff=FOR_EVER)))
    actor = next(c.ref for c in tree.root.which_children())
    assert actor is not None
    life = life_of(tree, "root/a/")
    entered, go = threading.Event(), threading.Event()

    def wait(_puppet: Any) -> None:
        entered.set()
        go.wait(PATIENCE)

    tell(tree, "root/a/", Run(wait))
    assert entered.wait(PATIENCE)
    answer = actor.ask("too late", block=False)
    tree.order_stop()
    assert life.stopping.wait(PATIENCE)
    go.set()
    with pytest.raises(pykka.ActorDeadError):
        answer.get(timeout=PATIENCE)


def test_kept_dead_letters_are_bounded_and_counted(grow: Grow, events: Log) -> None:
    tree = grow(root(puppet("a"), intensity=1000))
    for _ in range(40):
        tell(tree, "root/a/", CRASH)
    events.wait_for(ChildRestarted, "a/", count=40)
    assert node(tree, "root/a/").dead_letters == 40
    assert len(tree._root.children["a"].dead_letters) == 16  # noqa: SLF001
