"""Server-Sent Events: the feed for browsers, without a gap and without a repeat.

One subscription serves all clients. The newest facts lie in one ring, already formatted; each
client has only a position in it, and takes what comes after that when its connection has
room. A client that falls behind the ring reads the journal until it has caught up. So a slow
client costs a position, not a queue, and loses nothing.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import msgspec
import zmq

from actors.web.asking import Asking
from actors.web.port import Port
from bus.address import OUTPUT
from bus.errors import Refused
from bus.feed import HEARTBEAT_SECONDS
from bus.requests import EventsReplay

RING = 20_000
"""Facts that are held for all clients together."""
COMMENT_SECONDS = 15.0
"""How long a stream says nothing, also one whose filter takes none of many facts. Then a comment
shows both ends that it lives."""
RETRY_MS = 2_000
"""How long a client is asked to wait before it connects again."""
PAGE = 1_000
CHUNK = 256
"""Facts that one write to a client holds at most."""
TRANSITIONS = ("workflow.status", "task.status", "terminal.status")
"""The types of facts that say a change of status."""


class _Head(msgspec.Struct):
    """What the stream itself needs of a fact or a heartbeat."""

    type: str
    seq: int = 0
    address: str = ""
    head: int = 0


class _Page(msgspec.Struct):
    facts: list[msgspec.Raw]
    head: int
    compacted: int = 0


class Event(msgspec.Struct, frozen=True):
    """One fact, formatted. `text` is its whole SSE event."""

    seq: int
    address: str
    type: str
    text: bytes


class Filter(msgspec.Struct, frozen=True):
    """Which facts a client wants: of an address and below, of some types (none: all)."""

    address: str = ""
    types: frozenset[str] = frozenset()

    def takes(self, event: Event) -> bool:
        """Whether the client wants this fact."""
        named = not self.types or event.type in self.types
        return named and event.address.startswith(self.address)


_OUTPUT = OUTPUT.encode()
_head_of = msgspec.json.Decoder(_Head).decode
_page_of = msgspec.json.Decoder(_Page).decode


def formatted(body: bytes) -> Event:
    """Return a fact's JSON as an event."""
    head = _head_of(body)
    text = b"id: %d\nevent: %s\ndata: %s\n\n" % (head.seq, head.type.encode(), body)
    return Event(head.seq, head.address, head.type, text)


class Hub:
    """Follows the feed, and serves every stream. Belongs to one event loop."""

    def __init__(self, feed: str, asking: Asking) -> None:
        self._asking = asking
        self._ring: deque[Event] = deque(maxlen=RING)
        self.head = 0
        self.transitions: Counter[str] = Counter()
        """Changes of status that have come, by what they are of."""
        self._places: dict[object, int] = {}
        self._news = asyncio.Event()
        self._ending = False
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._port = Port(zmq.Context.instance(), zmq.SUB, feed, self._came)
        self._started = asyncio.Event()
        self.task = asyncio.create_task(self._follow(), name="feed")
        """Follows the feed, and never ends by itself."""

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._places)

    @property
    def behind(self) -> int:
        """How many facts the slowest stream has still to take."""
        return max((self.head - at for at in self._places.values()), default=0)

    @property
    def held(self) -> int:
        """How many facts are held for all streams together."""
        return len(self._ring)

    async def _follow(self) -> None:
        """Take every fact once and in order.

        They come from the feed, and from the journal where one is missing.
        """
        await self._catch_up(newest_only=True)
        self._started.set()
        while True:
            try:
                frame = await self._next()
            except TimeoutError:
                await self._catch_up()
                continue
            body = frame.partition(b" ")[2]
            head = _head_of(body)
            if head.type == "heartbeat":
                if head.head > self.head:
                    await self._catch_up()
            elif head.seq == self.head + 1:
                self._take([formatted(body)])
            elif head.seq > self.head:
                await self._catch_up()

    def _came(self, frames: list[bytes]) -> None:
        if not frames[0].startswith(_OUTPUT):
            self._frames.put_nowait(frames[0])

    async def _next(self) -> bytes:
        """Return the next frame. Raise `TimeoutError` after a long silence, without a heartbeat."""
        if not self._frames.empty():
            return self._frames.get_nowait()
        async with asyncio.timeout(2 * HEARTBEAT_SECONDS):
            return await self._frames.get()

    async def _catch_up(self, newest_only: bool = False) -> None:
        """Read the journal from the last fact on; at the start, only where it ends now."""
        while True:
            try:
                page = await self._page(2**62 if newest_only else self.head)
            except Refused:
                await asyncio.sleep(0.2)  # the runtime starts, ends, or has too much to do
                continue
            self._take([formatted(bytes(raw)) for raw in page.facts])
            if len(page.facts) < PAGE:
                self.head = max(self.head, page.head)
                return

    async def _page(self, after: int) -> _Page:
        return _page_of(await self._asking.ask(EventsReplay(after=after, limit=PAGE)))

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if event.seq > self.head:
                if self._ring and self._ring[-1].seq + 1 != event.seq:
                    self._ring.clear()  # facts between were compacted; the ring has no holes
                self._ring.append(event)
                self.head = event.seq
                if event.type in TRANSITIONS:
                    self.transitions[event.type.partition(".")[0]] += 1
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def end(self) -> None:
        """End every stream soon; their clients may connect again."""
        self._ending = True
        self._wake()

    async def close(self) -> None:
        """Stop following the feed."""
        self.task.cancel()
        self._port.close()
        with suppress(asyncio.CancelledError):
            await self.task

    async def stream(self, after: int | None, wanted: Filter) -> AsyncGenerator[bytes]:
        """Yield the facts after `after` (None: those to come), for ever, as SSE."""
        await self._started.wait()
        at = self.head if after is None else after
        here = object()
        self._places[here] = at
        loop = asyncio.get_running_loop()
        said = loop.time()
        try:
            yield b"retry: %d\n: callboard head=%d\n\n" % (RETRY_MS, self.head)
            while not self._ending:
                news = self._news
                text = b""
                if at < self.head:
                    events, at = await self._after(at, wanted)
                    self._places[here] = at
                    text = b"".join(event.text for event in events if wanted.takes(event))
                elif await _in_time(news, said + COMMENT_SECONDS):
                    continue
                if not text and loop.time() >= said + COMMENT_SECONDS:
                    text = b": head=%d\n\n" % self.head
                if text:
                    said = loop.time()
                    yield text
        finally:
            del self._places[here]

    async def _after(self, at: int, wanted: Filter) -> tuple[list[Event], int]:
        """Return the next facts after `at`, and the seq that they reach."""
        first = self._ring[0].seq if self._ring else self.head + 1
        if at + 1 >= first:
            begin = at + 1 - first
            events = [self._ring[n] for n in range(begin, min(begin + CHUNK, len(self._ring)))]
            return events, events[-1].seq if events else self.head
        request = EventsReplay(after=at, limit=CHUNK, address=wanted.address)
        page = _page_of(await self._asking.ask(request))
        events = [formatted(bytes(raw)) for raw in page.facts]
        if len(events) == CHUNK:
            return events, events[-1].seq
        return events, max(page.head, at)


async def _in_time(news: asyncio.Event, end: float) -> bool:
    """Wait for news; False when there was none until `end`, in the loop's time."""
    try:
        async with asyncio.timeout_at(end):
            await news.wait()
    except TimeoutError:
        return False
    return True


def position(header: str | None, query: dict[str, Any]) -> int | None:
    """Return where a stream begins: after `Last-Event-ID`, else `after`, else None for now.

    Raises `ValueError`.
    """
    text = header if header not in (None, "") else query.get("after")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("not a seq")
    return int(text)
