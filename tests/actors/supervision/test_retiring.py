"""An actor that retires loses no message, and can be started again at once.

Hazard 80.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from actors.supervision.errors import AlreadyPresent, AlreadyStarted, Running
from actors.supervision.events import ChildStopped
from actors.supervision.spec import Restart
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import PATIENCE, Log, Run, node, puppet, root, tell

Grow = Callable[..., Tree]
RETIRE = Run(lambda actor: actor.retire())


def test_it_handles_what_waits_first(grow: Grow, events: Log) -> None:
    log = Log()
    tree = grow(root(puppet("a", log, restart=Restart.TRANSIENT)))

    def fill(actor: Any) -> None:
        actor.retire()
        for word in ("one", "two"):
            tell(tree, "root/a/", word)

    tell(tree, "root/a/", Run(fill))
    assert events.wait_for(ChildStopped, "a/").reason == "normal"
    assert [item for item in log.all() if isinstance(item, str)] == ["one", "two"]
    assert node(tree, "root/a/").state == "stopped"


def test_the_wish_can_be_withdrawn(grow: Grow) -> None:
    log = Log()
    tree = grow(root(puppet("a", log, restart=Restart.TRANSIENT)))

    def change_its_mind(actor: Any) -> None:
        actor.retire()
        actor.retire(False)

    tell(tree, "root/a/", Run(change_its_mind))
    tell(tree, "root/a/", "later")
    log.wait(lambda items: "later" in items)
    assert node(tree, "root/a/").state == "running"


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
def test_who_was_refused_can_start_it_at_once(grow: Grow, restart: Restart) -> None:
    """Also while its `on_stop` still runs, so that its supervisor has not heard of its end."""
    log, stopping, release = Log(), threading.Event(), threading.Event()

    def stop(_actor: Any) -> None:
        stopping.set()
        release.wait(PATIENCE)

    tree = grow(root())
    spec = puppet("a", log, {"stop": stop}, restart=restart)
    tree.root.start_child(spec)
    tell(tree, "root/a/", RETIRE)
    assert stopping.wait(PATIENCE)
    assert not tree.directory.deliver("root/a/", "too late")

    def start_again() -> None:
        try:
            tree.root.start_child(spec)
        except AlreadyPresent:
            tree.root.restart_child("a")

    starter = threading.Thread(target=start_again)
    starter.start()
    release.set()
    starter.join(PATIENCE)
    tell(tree, "root/a/", "again")
    log.wait(lambda items: "again" in items)
    assert "too late" not in log.all()


def test_nothing_is_lost_and_nothing_is_handled_twice(grow: Grow) -> None:
    """It retires after each message, while others tell it more and start it where it is refused."""
    log = Log()
    tree = grow(root())

    def note(number: int) -> Callable[[Any], None]:
        def what(actor: Any) -> None:
            log.add(number)
            actor.retire()

        return what

    spec = puppet("a", restart=Restart.TRANSIENT)
    tree.root.start_child(spec)

    def send(first: int) -> None:
        for number in range(first, first + 200):
            while not tree.directory.deliver("root/a/", Run(note(number))):
                with suppress(AlreadyStarted, Running):  # another sender was faster
                    try:
                        tree.root.start_child(spec)
                    except AlreadyPresent:
                        tree.root.restart_child("a")

    senders = [threading.Thread(target=send, args=(first,)) for first in (0, 1000, 2000)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(PATIENCE)
    expected = [n for first in (0, 1000, 2000) for n in range(first, first + 200)]
    log.wait(lambda items: len(items) >= len(expected))
    assert sorted(log.all()) == expected
