"""Mailboxes that outlive actors, and the directory of mailboxes by address.

A `Mailbox` belongs to an *address*, not to an actor. When an actor fails its supervisor gives the
mailbox to the next incarnation, which continues with the next waiting message. A mailbox implements
Pykka's actor inbox (`put`, `get`, `empty`), so that `ActorRef.tell` and `ask` work.

    directory = Directory()
    directory.register("demo/", Mailbox("demo/"))
    directory.deliver("demo/", b"...")      # True: the item waits for the reader
    directory.deliver("nowhere/", b"...")   # False: no mailbox has this address
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
    """What `Mailbox.take` returns instead of an item."""

    STOP = "stop"  # the reader must stop, or is not the reader any more
    NOTHING = "nothing"  # no item came in time


_NOTHING: deque[object] = deque(maxlen=0)
"""The items of every closed mailbox without any: an empty deque of its own takes 700 bytes."""


class Reader(Protocol):
    """The incarnation that may take mail out. A `Life` is one."""

    stop_ordered: bool  # by its supervisor
    leaving: bool  # by its own wish


class Mailbox:
    """A queue of items for one address. Any thread may put; one incarnation at a time takes.

    `put` does not block. A reader that finds no item creates a lock, acquires it twice and thereby
    sleeps; the thread that puts an item releases the lock. A `put` or `take` on a mailbox with
    items costs one short acquisition of another lock.
    """

    __slots__ = ("_items", "_lock", "_open", "_reader", "_sleeper", "address", "handled")

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.handled = 0  # items handled without failure, by all incarnations; the reader writes it
        self._items: deque[object] = deque()
        self._lock = threading.Lock()  # held for a few instructions only, never while waiting
        self._sleeper: threading.Lock | None = None  # the lock on which the reader sleeps
        self._reader: Reader | None = None
        self._open = True

    @property
    def depth(self) -> int:
        """How many items wait. Reading it takes no lock."""
        return len(self._items)

    def put(self, item: object, /) -> None:
        """Append an item. Any thread; does not block. Raise `MailboxClosed` if closed."""
        with self._lock:
            if not self._open:
                raise MailboxClosed(f"{self.address or 'actor'} has ended")
            self._items.append(item)
            self._wake_sleeper()

    def take(self, reader: Reader, timeout: float | None = None) -> object:
        """Remove and return the next item, or return a `Signal` after `timeout` seconds.

        Wait without limit if `timeout` is None. An order to stop comes before waiting items. An
        incarnation that is not the reader any more gets STOP, so that an abandoned incarnation
        cannot take a message from its successor.
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
        """Make a waiting reader check whether it must stop. Any thread; does not block."""
        with self._lock:
            self._wake_sleeper()

    def hand_to(self, reader: Reader) -> None:
        """Make this the only reader, and open the mailbox for new items."""
        with self._lock:
            self._reader = reader
            self._open = True
            if self._items is _NOTHING:
                self._items = deque()
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
        """Take no new items, and answer the waiting asks with `ActorDeadError`.

        Keep the other waiting items for a later incarnation or for `drain`.
        """
        with self._lock:
            self._open = False
            self._reader = None  # a reference would keep an ended actor in memory
            self._wake_sleeper()
            asks = [item for item in self._items if _wants_reply(item)]
            kept = [item for item in self._items if not _wants_reply(item)]
            self._items = deque(kept) if kept else _NOTHING
        for ask in asks:
            refuse(ask, f"{self.address or 'actor'} ended before it handled the message")

    def close_if_empty(self, reader: Reader) -> bool:
        """Take no new items if none waits; return whether that is so. `reader` must be the reader.

        So the reader can end without losing an item.
        """
        with self._lock:
            if self._items or self._reader is not reader:
                return False
            self._open = False
            return True

    def drain(self) -> list[object]:
        """Remove and return all waiting items, oldest first. Any thread."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
        return items

    def get(self) -> Envelope[Any]:
        """Wait for the next item and return it in an envelope, as Pykka does. Actors use `take`."""
        while True:
            with self._lock:
                if self._items:
                    item = self._items.popleft()
                    return item if isinstance(item, Envelope) else Envelope(item)
                sleeper = self._sleep()
            sleeper.acquire()

    def empty(self) -> bool:
        """Whether no item waits. Part of Pykka's inbox protocol."""
        return not self._items


class Directory:
    """The mailboxes by address. Any thread may use it."""

    def __init__(self) -> None:
        self._boxes: dict[str, Mailbox] = {}
        self._lock = threading.Lock()

    def deliver(self, address: str, item: object) -> bool:
        """Put the item into the mailbox at the address. Return False if there is none.

        Does not block. An actor that waits for its next start has a mailbox at its address.
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
        """Register the mailbox at the address. Raise `AddressTaken` if another one is there."""
        with self._lock:
            if self._boxes.setdefault(address, mailbox) is not mailbox:
                raise AddressTaken(address)

    def unregister(self, address: str, mailbox: Mailbox) -> None:
        """Remove the mailbox from the address if it is registered there."""
        with self._lock:
            if self._boxes.get(address) is mailbox:
                del self._boxes[address]

    def depth(self, address: str) -> int:
        """Return how many items wait at the address; 0 if there is no mailbox."""
        box = self._boxes.get(address)
        return 0 if box is None else box.depth

    def addresses(self) -> list[str]:
        """Return all addresses with a mailbox, sorted."""
        return sorted(self._boxes.copy())


def refuse(item: object, why: str) -> None:
    """Answer the item with `ActorDeadError` if it is an `ask`. Do nothing for other items."""
    if isinstance(item, Envelope) and item.reply_to is not None:
        with suppress(Full):  # it has been answered already
            item.reply_to.set_exception((ActorDeadError, ActorDeadError(why), None))


def _wants_reply(item: object) -> bool:
    return isinstance(item, Envelope) and item.reply_to is not None
