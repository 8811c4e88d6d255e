"""Messages to mailboxes: at once, later, cancelled, and to nobody."""

import threading
from collections.abc import Iterator

import pytest

from actors.platform.loop import EventLoop
from actors.supervision.mailbox import Directory, Mailbox
from actors.system.timers import Timers

WAIT = 30.0


class Reader:
    stop_ordered = False
    leaving = False


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    loop.start()
    yield loop
    loop.stop()


def mailbox(directory: Directory, reader: Reader) -> Mailbox:
    box = Mailbox("a/")
    box.hand_to(reader)
    directory.register("a/", box)
    return box


def test_a_message_is_put_into_the_mailbox_now_or_later(loop: EventLoop) -> None:
    directory, reader = Directory(), Reader()
    box = mailbox(directory, reader)
    timers = Timers(loop, directory)
    timers.after(0.01, "a/", "later")
    timers.notify("a/", "now")
    assert [box.take(reader, WAIT), box.take(reader, WAIT)] == ["now", "later"]


def test_a_cancelled_message_does_not_come(loop: EventLoop) -> None:
    directory, reader = Directory(), Reader()
    box = mailbox(directory, reader)
    timers = Timers(loop, directory)
    timers.after(0.01, "a/", "cancelled").cancel()
    timers.after(0.02, "a/", "last")
    assert box.take(reader, WAIT) == "last"


def test_a_message_to_an_actor_that_has_ended_is_dropped(loop: EventLoop) -> None:
    timers = Timers(loop, Directory())
    timers.notify("a/", "nobody takes it")
    timers.after(0.0, "a/", "nobody takes it")
    done = threading.Event()
    loop.later(0.01, done.set)
    assert done.wait(WAIT)
