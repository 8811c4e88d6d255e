"""Which handler a message goes to, and what becomes of one that breaks it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from actors.supervision.actor import Actor, handles
from actors.supervision.errors import UnhandledMessage
from actors.supervision.events import ChildFailed, ChildRestarted, DeadLetter
from actors.supervision.spec import worker
from actors.supervision.tree import Tree
from tests.actors.supervision.supervision_kit import (
    CRASH,
    PATIENCE,
    Log,
    Oops,
    Puppet,
    life_of,
    root,
    tell,
)

Grow = Callable[..., Tree]


@dataclass(frozen=True)
class Shape:
    size: int


@dataclass(frozen=True)
class Circle(Shape):
    pass


class Painter(Actor):
    @handles(Shape)
    def paint(self, message: Shape) -> str:
        return f"shape {message.size}"


class CarefulPainter(Painter):
    def paint(self, message: Shape) -> str:
        return "carefully: " + super().paint(message)


class CirclePainter(Painter):
    @handles(Circle, str)
    def paint_circle(self, _message: Circle | str) -> str:
        return "circle"


@pytest.mark.parametrize(
    ("kind", "message", "answer"),
    [
        (Painter, Shape(1), "shape 1"),
        (Painter, Circle(2), "shape 2"),
        (CarefulPainter, Circle(2), "carefully: shape 2"),
        (CirclePainter, Circle(2), "circle"),
        (CirclePainter, Shape(3), "shape 3"),
        (CirclePainter, "o", "circle"),
    ],
)
def test_a_message_goes_to_the_handler_of_its_nearest_type(
    kind: type[Actor], message: object, answer: str
) -> None:
    actor = kind.start()
    assert actor.ask(message, timeout=PATIENCE) == answer
    actor.stop()


def test_a_message_without_a_handler_is_a_failure(grow: Grow, events: Log) -> None:
    tree = grow(root(worker("a", Painter)))
    tell(tree, "root/a/", 42)
    failed = events.wait_for(ChildFailed, "a/")
    assert isinstance(failed.error, UnhandledMessage)
    assert str(failed.error) == "Painter has no handler for int"
    assert events.wait_for(DeadLetter, "a/").item == 42


def test_pykkas_proxy_works() -> None:
    actor = Painter.start()
    assert actor.proxy().paint(Shape(4)).get(timeout=PATIENCE) == "shape 4"
    actor.stop()


def test_what_was_delivered_is_decoded_in_the_actors_own_thread(grow: Grow, events: Log) -> None:
    log = Log()

    class Decoder(Puppet):
        def decode(self, item: Any) -> Any:
            log.add(threading.get_ident())
            return item.decode() if isinstance(item, bytes) else item

    tree = grow(root(worker("a", Decoder, log)))
    tell(tree, "root/a/", b"bytes")
    log.wait(lambda items: "bytes" in items)
    own = log.all()[log.all().index("bytes") - 1]
    assert own == life_of(tree, "root/a/").thread_id
    tell(tree, "root/a/", b"\xff")
    letter = events.wait_for(DeadLetter, "a/")
    assert letter.item == b"\xff"
    assert isinstance(letter.error, UnicodeDecodeError)
    assert events.wait_for(ChildRestarted, "a/")


def test_the_item_that_broke_the_actor_is_given_to_on_dead_letter_in_its_thread(
    grow: Grow, events: Log
) -> None:
    log = Log()

    class Mourner(Puppet):
        def on_dead_letter(self, item: Any, error: BaseException) -> None:
            log.add((item, type(error), threading.get_ident() == self.life.thread_id))
            raise KeyError("in mourning")

    tree = grow(root(worker("a", Mourner, log)))
    tell(tree, "root/a/", CRASH)
    failed = events.wait_for(ChildFailed, "a/")
    assert (CRASH, Oops, True) in log.all()
    assert isinstance(failed.error, Oops)
    assert "on_dead_letter raised KeyError" in failed.traceback
