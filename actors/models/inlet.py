"""The bytes that come over one connection of an agent, without needless copies.

asyncio's streams copy what comes twice, and a conversation has megabytes. Here the system writes a
body where it stays (`Inlet.fill`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

_HEAD: Final = 16 << 10
"""Bytes that are read at once while no body is expected: most heads fit."""


class Inlet(asyncio.BufferedProtocol):
    """One connection; `meet` serves it. Belongs to one event loop."""

    transport: asyncio.Transport

    def __init__(self, meet: Callable[["Inlet"], Coroutine[Any, Any, None]]) -> None:
        self._meet = meet
        self._head = memoryview(bytearray(_HEAD))
        self._used = 0
        self._wanted: memoryview | None = None
        self._over = False
        self._full = False
        self._changed: asyncio.Event = asyncio.Event()
        self._writable: asyncio.Event = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None

    # ---- what asyncio calls -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection from now on."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._task = asyncio.get_running_loop().create_task(self._meet(self))

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        return self._head[self._used :] if self._wanted is None else self._wanted

    def buffer_updated(self, nbytes: int) -> None:
        """Note that so many bytes have come."""
        if self._wanted is None:
            self._used += nbytes
            self._hold(self._used == _HEAD)
        else:
            rest = self._wanted[nbytes:]
            self._wanted = rest if rest else None
        self._changed.set()

    def eof_received(self) -> bool:
        """Note that nothing more comes; the program may still read."""
        self._over = True
        self._changed.set()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """Wake who waits."""
        self._over = True
        self._changed.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """Have `drain` wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let `drain` go on."""
        self._writable.set()

    # ---- what the server calls --------------------------------------------------------------

    async def read(self) -> bytes:
        """Return what has come, at least one byte; nothing at the end."""
        while not self._used and not self._over:
            await self._change()
        data = bytes(self._head[: self._used])
        self._used = 0
        self._hold(False)
        return data

    def fill(self, place: memoryview) -> None:
        """Have the next bytes written here, as many as fit. See `lacks`."""
        at_hand = min(self._used, len(place))
        place[:at_hand] = self._head[:at_hand]
        left = bytes(self._head[at_hand : self._used])
        self._head[: len(left)] = left
        self._used = len(left)
        self._wanted = place[at_hand:] if at_hand < len(place) else None
        self._hold(self._used == _HEAD)

    @property
    def lacks(self) -> int:
        """How many bytes are still to come of what `fill` has asked for."""
        return 0 if self._wanted is None else len(self._wanted)

    async def more(self) -> None:
        """Return when something has come. Raise `EOFError` when nothing comes any more."""
        if self._over:
            raise EOFError("the program has closed its connection")
        await self._change()

    async def drain(self) -> None:
        """Return when what was written is nearly sent. Raise `ConnectionError` if it cannot be."""
        await self._writable.wait()
        if self.transport.is_closing():
            raise ConnectionResetError("the program has closed its connection")

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _hold(self, full: bool) -> None:
        """Stop reading, or go on, where that is another state than now."""
        if full == self._full or self.transport.is_closing():
            return
        self._full = full
        if full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
