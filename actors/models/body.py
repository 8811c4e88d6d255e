"""The body of one request, which is passed on while it comes."""

import asyncio
from collections.abc import Callable
from typing import Final

from actors.models.inlet import Inlet

_LAST: Final = 16 << 10
"""How much of a body is kept back while it is looked at: the server reads the rest meanwhile."""


class Gone(Exception):
    """The program closed its connection, or did not send its request in time."""


class Body:
    """So many bytes. What has come is kept: a request may be sent once more.

    `check` looks at the whole body, and raises what refuses it. The last bytes are given out only
    after it, so that no server gets a request that is refused.
    """

    def __init__(self, data: bytearray | bytes, inlet: Inlet | None = None) -> None:
        """Hold `data`, which is whole, or what the inlet has been told to fill."""
        self.size: Final = len(data)
        self.check: Callable[[memoryview], None] | None = None
        self._view: Final = memoryview(data)
        self._inlet: Final = inlet
        self._whole = asyncio.Event()
        if inlet is None:
            self._whole.set()

    async def after(self, at: int, deadline: float) -> memoryview:
        """Return what has come beyond the first `at` bytes, at least one byte.

        Raise `Gone`, or what `check` raises.
        """
        while (here := self._here()) < self.size:
            if here > at:
                return self._view[at:here]
            await self._more(deadline)
        self._whole.set()
        if self.check is not None:
            if (most := self.size - _LAST) > at:
                return self._view[at:most]
            check, self.check = self.check, None
            check(self._view)
        return self._view[at:]

    async def rest(self, deadline: float) -> None:
        """Return when everything has come, without a check. Raise `Gone`."""
        while not self.is_whole:
            await self._more(deadline)
        self._whole.set()

    async def _more(self, deadline: float) -> None:
        assert self._inlet is not None
        try:
            async with asyncio.timeout_at(deadline):
                await self._inlet.more()
        except (TimeoutError, EOFError) as error:
            raise Gone(str(error) or "the request did not come in time") from error

    @property
    def is_whole(self) -> bool:
        """Whether everything has come."""
        return self._here() == self.size

    async def until_whole(self) -> None:
        """Return when everything has come."""
        await self._whole.wait()

    def _here(self) -> int:
        return self.size - (self._inlet.lacks if self._inlet is not None else 0)
