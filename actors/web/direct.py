"""The direct way of one WebSocket to a terminal's host: `actors.pty.entry` in an event loop."""

import asyncio

from actors.pty.entry import Entry, host_key
from actors.pty.events import Acknowledged, Event, Output, Resized, Welcome
from bus.terminal_requests import Entrance

FULL = 1 << 18
"""Bytes of output that wait for a slow client. With more, the host is told to send no more."""


Answer = Acknowledged | None
"""What became of a key; None where the link was lost first."""


class Direct:
    """The link, the output that has come over it, and the keys that are to be acknowledged.

    Belongs to one event loop.
    """

    def __init__(self) -> None:
        self.entry = Entry()
        self._fd = -1
        self._pieces: list[Output | Resized] = []
        self._size = self._from = 0
        self._full = False
        self._news = asyncio.Event()
        self._typed: dict[bytes, asyncio.Future[Answer]] = {}

    def open(self, found: Entrance, offset: int) -> None:
        """Connect, and have output come from `offset` on. Raises `OSError` if no host listens."""
        self.close()
        self._begin(offset)
        self.entry.open(found.socket, found.token, found.incarnation, offset)
        self._fd = self.entry.fileno()
        asyncio.get_running_loop().add_reader(self._fd, self._hear)

    def follow(self, offset: int) -> None:
        """Have output come from `offset` on; it must be beyond what came before."""
        self._begin(offset)
        self.entry.follow(offset)
        self._write()

    def _begin(self, offset: int) -> None:
        self._pieces = [each for each in self._pieces if isinstance(each, Resized)]
        self._size, self._full, self._from = 0, False, offset
        self._news.clear()

    async def came(self) -> list[Output | Resized]:
        """Wait for output or another size of the window, and return them in order.

        Return nothing if no more will come.
        """
        while not self._pieces and not self._full and self.entry.connected:
            self._news.clear()
            await self._news.wait()
        found, self._pieces, self._size = self._pieces, [], 0
        return found

    def type(self, key: str, data: bytes, incarnation: int) -> "asyncio.Future[Answer]":
        """Type the bytes once the keyboard is lent; return what becomes of them."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._typed[host_key(key)] = future
        self.entry.type(key, data, incarnation)
        self._write()
        return future

    def lend(self, seconds: float) -> None:
        """Hand on that the session has the keyboard."""
        self.entry.lend(seconds)
        self._write()

    def drop(self) -> None:
        """Forget what was to be typed."""
        self.entry.drop()
        self._forget()

    def _forget(self) -> None:
        for future in self._typed.values():
            if not future.done():
                future.set_result(None)
        self._typed.clear()

    def _write(self) -> None:
        if self.entry.wants_write:
            asyncio.get_running_loop().add_writer(self._fd, self._written)

    def _written(self) -> None:
        self.entry.write()
        if not self.entry.wants_write:
            asyncio.get_running_loop().remove_writer(self._fd)

    def _hear(self) -> None:
        events = self.entry.read()
        # A person waits for the output, and nobody for an acknowledgement: it wakes its task last.
        for event in sorted(events, key=lambda event: isinstance(event, Acknowledged)):
            self._on_event(event)
        if not self.entry.connected:
            self.close()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Acknowledged):
            future = self._typed.pop(event.key, None)
            if future is not None and not future.done():
                future.set_result(event)
        elif isinstance(event, Welcome | Resized):
            if self._pieces and isinstance(self._pieces[-1], Resized):
                self._pieces.pop()  # of sizes one after another the last counts
            self._pieces.append(Resized(event.rows, event.columns))
            self._news.set()
        elif isinstance(event, Output) and event.offset >= self._from and not self._full:
            self._pieces.append(event)
            self._size += len(event.data)
            if self._size > FULL:
                self._full = True
                self.entry.follow(None)
                self._write()
            self._news.set()

    def close(self) -> None:
        """Close the link, and wake who waits for what it brings."""
        if self._fd >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._fd)
            loop.remove_writer(self._fd)
            self._fd = -1
        self.entry.close()
        self.drop()
        self._news.set()
