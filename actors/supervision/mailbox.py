"""Mailboxes that outlive the actors that read them, and the directory that finds them.

A `Mailbox` belongs to an *address*, not to an actor. When the actor fails, its supervisor hands the
same mailbox to the next incarnation, which goes on with the next waiting message. It is Pykka's
actor inbox (`put`, `get`, `empty`), so `ActorRef.tell` and `ask` write into it as into any other.

    directory = Directory()
    directory.register("demo/", Mailbox("demo/"))
    directory.deliver("demo/", b"...")      # True: it waits there for whoever reads next
    directory.deliver("nowhere/", b"...")   # False: nobody lives there
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from enum import Enum
from queue import Full
from typing import Any, Protocol

from pykka import ActorDeadError
from pykka._envelope import Envelope

from actors.supervision.errors import AddressTaken, MailboxClosed


class Signal(Enum):
    """What `Mailbox.take` returns when it returns no item."""

    STOP = "stop"  # the reader is to stop, or is no longer the reader
    NOTHING = "nothing"  # the time was up


class Reader(Protocol):
    """Who may take mail out: one incarnation of an actor."""

    stop_ordered: bool  # by its supervisor
    leaving: bool  # by its own wish


class Mailbox:
    """A queue of items for one address: any thread puts, one incarnation at a time takes.

    `put` never blocks. A reader that finds nothing leaves a locked lock and sleeps on it; whoever
    has something for it unlocks that. So a busy mailbox costs one short lock for each put and take.
    """

    __slots__ = ("_items", "_lock", "_open", "_reader", "_sleeper", "address", "handled")

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.handled = 0  # items handled to the end, by all incarnations; written by the reader
        self._items: deque[object] = deque()
        self._lock = threading.Lock()  # held for a few instructions only, never while waiting
        self._sleeper: threading.Lock | None = None  # what the reader sleeps on
        self._reader: Reader | None = None
        self._open = True

    @property
    def depth(self) -> int:
        """How many items wait. Takes no lock."""
        return len(self._items)

    def put(self, item: object, /) -> None:
        """Append an item. Any thread; never blocks. Raises `MailboxClosed` if closed."""
        with self._lock:
            if not self._open:
                raise MailboxClosed(f"{self.address or 'actor'} has ended")
            self._items.append(item)
            self._wake_sleeper()

    def take(self, reader: Reader, timeout: float | None = None) -> object:
        """The next item, or a `Signal`. Blocks at most `timeout` seconds (None: for ever).

        Stopping comes before the mail. Whoever is not the reader any more gets STOP, so an
        abandoned incarnation cannot take a message from its successor.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                if reader.stop_ordered or reader.leaving or self._reader is not reader:
                    return Signal.STOP
                if self._items:
                    return self._items.popleft()
                sleeper = self._sleep()
            left = -1.0 if deadline is None else deadline - time.monotonic()
            if deadline is not None and left <= 0:
                return Signal.NOTHING
            sleeper.acquire(timeout=left)

    def wake(self) -> None:
        """Make a waiting reader look at its orders. Any thread; never blocks."""
        with self._lock:
            self._wake_sleeper()

    def hand_to(self, reader: Reader) -> None:
        """From now on only this reader takes mail, and new mail is welcome."""
        with self._lock:
            self._reader = reader
            self._open = True
            self._wake_sleeper()

    def _sleep(self) -> threading.Lock:
        self._sleeper = threading.Lock()
        self._sleeper.acquire()
        return self._sleeper

    def _wake_sleeper(self) -> None:
        if self._sleeper is not None:
            self._sleeper.release()
            self._sleeper = None

    def close(self) -> None:
        """Take no new mail, and tell everyone whose `ask` waits here that there is no answer.

        Other waiting items are kept, for a later incarnation or for `drain`.
        """
        with self._lock:
            self._open = False
            self._reader = None  # which would keep an ended actor in memory
            self._wake_sleeper()
            asks = [item for item in self._items if _wants_reply(item)]
            kept = [item for item in self._items if not _wants_reply(item)]
            self._items.clear()
            self._items.extend(kept)
        for ask in asks:
            refuse(ask, f"{self.address or 'actor'} ended before it handled the message")

    def drain(self) -> list[object]:
        """Remove and return all waiting items, oldest first."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
        return items

    def get(self) -> Envelope[Any]:
        """Pykka's way to take an item, in an envelope; our actors use `take`. Waits for ever."""
        while True:
            with self._lock:
                if self._items:
                    item = self._items.popleft()
                    return item if isinstance(item, Envelope) else Envelope(item)
                sleeper = self._sleep()
            sleeper.acquire()

    def empty(self) -> bool:
        """Whether nothing waits. Part of Pykka's inbox protocol."""
        return not self._items


class Directory:
    """Which mailbox is at which address. Thread-safe."""

    def __init__(self) -> None:
        self._boxes: dict[str, Mailbox] = {}
        self._lock = threading.Lock()

    def deliver(self, address: str, item: object) -> bool:
        """Put the item into the mailbox at the address; False if nobody lives there.

        Any thread; never blocks. An actor between two incarnations still lives at its address.
        """
        box = self._boxes.get(address)
        if box is None:
            return False
        try:
            box.put(item)
        except MailboxClosed:
            return False
        return True

    def register(self, address: str, mailbox: Mailbox) -> None:
        """Let the mailbox live at the address. Raises `AddressTaken` if another one does."""
        with self._lock:
            if self._boxes.setdefault(address, mailbox) is not mailbox:
                raise AddressTaken(address)

    def unregister(self, address: str, mailbox: Mailbox) -> None:
        """Let the mailbox live there no more. Nothing happens if it did not."""
        with self._lock:
            if self._boxes.get(address) is mailbox:
                del self._boxes[address]

    def depth(self, address: str) -> int:
        """How many items wait at the address; 0 where nobody lives."""
        box = self._boxes.get(address)
        return 0 if box is None else box.depth

    def addresses(self) -> list[str]:
        """Every address where somebody lives, sorted."""
        return sorted(self._boxes.copy())


def refuse(item: object, why: str) -> None:
    """Answer an `ask` that nobody will handle with `ActorDeadError`; other items have no asker."""
    if isinstance(item, Envelope) and item.reply_to is not None:
        with suppress(Full):  # it has been answered
            item.reply_to.set_exception((ActorDeadError, ActorDeadError(why), None))


def _wants_reply(item: object) -> bool:
    return isinstance(item, Envelope) and item.reply_to is not None
