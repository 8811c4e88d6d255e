"""Connections to the servers of providers: HTTP/1.1, with TLS, kept open between requests.

No variable of the environment is honoured that would send a request elsewhere: there is no proxy.
"""

import asyncio
import functools
import ssl
import time
from collections.abc import AsyncIterator
from typing import Final, cast
from urllib.parse import urlsplit

import h11

from actors.models.body import Body

CONNECT_SECONDS: Final = 20.0
SILENCE_SECONDS: Final = 1_800.0
"""How long a server may say nothing: models think long, and some send no sign of life."""
KEEP_SECONDS: Final = 30.0
"""How long a connection without a request is kept."""
_HEADERS: Final = 256 << 10
_PIECE: Final = 64 << 10

_Said = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]
Headers = list[tuple[bytes, bytes]]


class Unreachable(Exception):
    """The server cannot be reached, or broke the connection off before it answered."""


class Origin(tuple[str, str, int]):
    """Scheme, host and port of a server."""

    __slots__ = ()

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Return the origin of a web address."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls((parts.scheme, parts.hostname or "", port))

    @property
    def host(self) -> bytes:
        """The value of the header `Host`."""
        scheme, name, port = self
        name = f"[{name}]" if ":" in name else name
        usual = port == (443 if scheme == "https" else 80)
        return (name if usual else f"{name}:{port}").encode()


class _Line:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.since = time.monotonic()
        self.spoken = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADERS)
        self.heard = False
        """Whether the server has said anything since the last request."""

    async def hear(self) -> None:
        """Take what the server says next. Raise `TimeoutError`."""
        async with asyncio.timeout(SILENCE_SECONDS):
            data = await self.reader.read(_PIECE)
        self.heard = self.heard or bool(data)
        self.spoken.receive_data(data)

    async def drain(self) -> None:
        """Return when nearly all is sent. Raise `TimeoutError`."""
        if self.writer.transport.get_write_buffer_size() or self.writer.is_closing():
            async with asyncio.timeout(SILENCE_SECONDS):
                await self.writer.drain()

    async def next_event(self) -> _Said:
        while (event := self.spoken.next_event()) is h11.NEED_DATA:
            await self.hear()
        return event

    @property
    def is_fresh(self) -> bool:
        young = time.monotonic() - self.since < KEEP_SECONDS
        return young and not self.reader.at_eof() and not self.writer.is_closing()


class Answer:
    """The head of an answer, and its body while it comes."""

    def __init__(self, pool: "Pool", origin: Origin, line: _Line, head: h11.Response) -> None:
        self._pool = pool
        self._origin = origin
        self._line = line
        self.status = head.status_code
        self.headers: Headers = list(head.headers)
        self._over = False

    def at_hand(self) -> bytes:
        """Return what of the body has come already. Raise `h11.RemoteProtocolError`."""
        pieces = []
        while isinstance(event := self._line.spoken.next_event(), h11.Data):
            pieces.append(event.data)
        self._over = event is not h11.NEED_DATA
        return b"".join(pieces)

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the pieces of the body as they come.

        Raise `h11.RemoteProtocolError`, `OSError` or `TimeoutError` if it is cut.
        """
        while not self._over:
            await self._line.hear()
            if piece := self.at_hand():
                yield piece

    def close(self) -> None:
        """Keep the connection if the answer was read to its end, else close it."""
        self._pool.give_back(self._origin, self._line)


class Pool:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self._idle: dict[Origin, list[_Line]] = {}

    async def send(
        self, origin: Origin, request: h11.Request, body: Body, deadline: float
    ) -> Answer:
        """Send a request and return its answer, whose body is still to come.

        Its own body has come by `deadline` (of the event loop's clock), or `Gone` is raised; and
        `Unreachable`, or what the body's check raises. If a kept connection turns out to be closed
        before it answered, another one is tried.
        """
        while True:
            kept = self._take(origin)
            line = kept or await _connected(origin)
            try:
                return await self._exchange(origin, line, request, body, deadline)
            except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
                if kept is None or line.heard or isinstance(error, TimeoutError):
                    raise Unreachable(_said(error)) from error

    async def _exchange(
        self, origin: Origin, line: _Line, request: h11.Request, body: Body, deadline: float
    ) -> Answer:
        try:
            waiting, at = line.spoken.send(request) or b"", 0
            while at < body.size:
                piece = await body.after(at, deadline)
                at += len(piece)
                _note(line.spoken, piece)
                if len(piece) < _PIECE:
                    line.writer.write(waiting + piece)  # at once
                else:
                    line.writer.write(waiting)
                    line.writer.write(piece)
                waiting = b""
                await line.drain()
            line.writer.write(waiting + (line.spoken.send(h11.EndOfMessage()) or b""))
            while True:
                event = await line.next_event()
                if isinstance(event, h11.Response):
                    return Answer(self, origin, line, event)
                if not isinstance(event, h11.InformationalResponse):
                    raise ConnectionError("the server closed the connection without an answer")
        except BaseException:
            line.writer.close()
            raise

    def _take(self, origin: Origin) -> _Line | None:
        lines = self._idle.get(origin, [])
        while lines:
            line = lines.pop()
            if line.is_fresh:
                return line
            line.writer.close()
        return None

    def give_back(self, origin: Origin, line: _Line) -> None:
        """Keep a connection whose answer is over, or close it."""
        spoken = line.spoken
        if spoken.our_state is h11.DONE and spoken.their_state is h11.DONE:
            spoken.start_next_cycle()
            line.heard = False
            line.since = time.monotonic()
            self._idle.setdefault(origin, []).append(line)
        else:
            line.writer.close()

    def close_old(self) -> None:
        """Close the connections that were kept too long."""
        for origin, lines in list(self._idle.items()):
            fresh = [line for line in lines if line.is_fresh]
            for line in set(lines) - set(fresh):
                line.writer.close()
            self._idle[origin] = fresh


def _note(spoken: h11.Connection, piece: memoryview) -> None:
    """Have h11 count a piece of a body, which is not copied: it takes whatever has a length."""
    spoken.send_with_data_passthrough(h11.Data(data=cast(bytes, piece)))


async def _connected(origin: Origin) -> _Line:
    scheme, host, port = origin
    context = _tls() if scheme == "https" else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return _Line(*await asyncio.open_connection(host, port, ssl=context, limit=_PIECE))
    except (OSError, TimeoutError, UnicodeError) as error:
        raise Unreachable(_said(error)) from error


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the system's own rules for certificates; `SSL_CERT_FILE` adds to them."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
