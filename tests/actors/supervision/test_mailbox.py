"""Mailboxes and the directory."""

from __future__ import annotations

import threading
from typing import Any

import pykka
import pytest
from pykka import ThreadingFuture
from pykka._envelope import Envelope

from actors.supervision.errors import AddressTaken, MailboxClosed
from actors.supervision.mailbox import Directory, Mailbox, Signal
from tests.actors.supervision.supervision_kit import PATIENCE


class SomeReader:
    def __init__(self) -> None:
        self.stop_ordered = False
        self.leaving = False


def reading(mailbox: Mailbox, reader: SomeReader) -> tuple[threading.Thread, list[Any]]:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(mailbox.take(reader)), daemon=True)
    thread.start()
    return thread, got


def test_items_are_taken_in_the_order_they_were_put() -> None:
    mailbox, reader = Mailbox("a/"), SomeReader()
    mailbox.hand_to(reader)
    for item in (1, 2, 3):
        mailbox.put(item)
    assert mailbox.depth == 3
    assert [mailbox.take(reader) for _ in range(3)] == [1, 2, 3]
    assert mailbox.empty()


def test_a_reader_that_waits_gets_the_next_item() -> None:
    mailbox, reader = Mailbox(), SomeReader()
    mailbox.hand_to(reader)
    thread, got = reading(mailbox, reader)
    mailbox.put("x")
    thread.join(PATIENCE)
    assert got == ["x"]


def test_when_the_time_is_up_there_is_nothing() -> None:
    mailbox, reader = Mailbox(), SomeReader()
    mailbox.hand_to(reader)
    assert mailbox.take(reader, timeout=0) is Signal.NOTHING


@pytest.mark.parametrize("wish", ["stop_ordered", "leaving"])
def test_stopping_comes_before_the_mail_which_stays(wish: str) -> None:
    mailbox, reader, successor = Mailbox(), SomeReader(), SomeReader()
    mailbox.hand_to(reader)
    mailbox.put("waits")
    setattr(reader, wish, True)
    assert mailbox.take(reader) is Signal.STOP
    mailbox.hand_to(successor)
    assert mailbox.take(successor) == "waits"


def test_a_reader_that_waits_is_woken_by_an_order_to_stop() -> None:
    mailbox, reader = Mailbox(), SomeReader()
    mailbox.hand_to(reader)
    thread, got = reading(mailbox, reader)
    reader.stop_ordered = True
    mailbox.wake()
    thread.join(PATIENCE)
    assert got == [Signal.STOP]


def test_a_former_reader_takes_nothing_from_its_successor() -> None:
    for _ in range(50):
        mailbox, former, successor = Mailbox(), SomeReader(), SomeReader()
        mailbox.hand_to(former)
        first, first_got = reading(mailbox, former)
        mailbox.hand_to(successor)
        second, second_got = reading(mailbox, successor)
        mailbox.put("for the successor")
        first.join(PATIENCE)
        second.join(PATIENCE)
        assert (first_got, second_got) == ([Signal.STOP], ["for the successor"])


def test_nothing_is_lost_or_reordered_while_writers_write_and_readers_change() -> None:
    mailbox, writers, each = Mailbox(), 4, 500
    got: list[tuple[int, int]] = []

    def write(writer: int) -> None:
        for number in range(each):
            mailbox.put((writer, number))

    threads = [threading.Thread(target=write, args=(w,), daemon=True) for w in range(writers)]
    for thread in threads:
        thread.start()
    while len(got) < writers * each:
        reader = SomeReader()
        mailbox.hand_to(reader)
        for _ in range(min(37, writers * each - len(got))):
            item = mailbox.take(reader, timeout=PATIENCE)
            assert isinstance(item, tuple)
            got.append(item)
        reader.stop_ordered = True
        assert mailbox.take(reader) is Signal.STOP
    for writer in range(writers):
        assert [n for w, n in got if w == writer] == list(range(each))


def test_a_closed_mailbox_takes_no_mail_and_keeps_what_it_has() -> None:
    mailbox = Mailbox("a/")
    mailbox.put("kept")
    mailbox.close()
    with pytest.raises(MailboxClosed, match="a/"):
        mailbox.put("too late")
    assert mailbox.drain() == ["kept"]


def test_who_waits_for_an_answer_of_a_closed_mailbox_learns_that_there_is_none() -> None:
    mailbox = Mailbox("a/")
    future: ThreadingFuture[Any] = ThreadingFuture()
    mailbox.put(Envelope("question", reply_to=future))
    mailbox.close()
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=PATIENCE)
    assert mailbox.depth == 0


def test_it_is_an_inbox_for_pykka() -> None:
    mailbox = Mailbox()
    envelope: Envelope[str] = Envelope("in an envelope")
    mailbox.put(envelope)
    mailbox.put("bare")
    assert mailbox.get() is envelope
    assert mailbox.get().message == "bare"


def test_delivering_to_an_address_where_nobody_lives_is_false() -> None:
    directory, mailbox = Directory(), Mailbox("a/")
    assert not directory.deliver("a/", 1)
    directory.register("a/", mailbox)
    assert directory.deliver("a/", 1)
    assert mailbox.depth == 1
    mailbox.close()
    assert not directory.deliver("a/", 2)
    directory.unregister("a/", mailbox)
    assert not directory.deliver("a/", 3)
    assert directory.addresses() == []


def test_an_address_belongs_to_one_mailbox() -> None:
    directory, mine, yours = Directory(), Mailbox(), Mailbox()
    directory.register("a/", mine)
    directory.register("a/", mine)
    with pytest.raises(AddressTaken, match="a/"):
        directory.register("a/", yours)
    directory.unregister("a/", yours)
    assert directory.deliver("a/", "still mine")
    assert mine.depth == 1
