"""The web door's process: `python -m actors.web FD OWNER`.

The runtime starts it, and hands it the listening socket as the descriptor FD, so that the address
stays the same when this process is started again. The first line of standard input says where
the runtime is (`bus.doors.WebDoor`, as JSON). The process ends when standard input closes:
a runtime that was killed leaves no web door behind. OWNER is the mark by which the next runtime
of the home finds what a killed one left.
"""

import asyncio
import socket
import sys
from contextlib import suppress

import h11
import msgspec
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from actors.web.access import Identity, Tokens
from actors.web.app import Door, make_app
from actors.web.asking import Asking
from actors.web.peers import Peers
from actors.web.stream import Hub
from actors.web.together import Together
from bus import logs
from bus.doors import WebDoor, first_line, stdin_closed
from bus.secrecy import hide_memory

END_SECONDS = 2
"""How long open requests may take when the process is to end."""
HEAD_SECONDS = 10.0
"""Within so long of its first byte, or of a new connection, a request's head must have come."""
READ_BYTES = 1 << 16
"""Bytes that are read from a connection at once. asyncio's own 256 KiB are mapped and unmapped for
each read, however little has come."""
FEW_MESSAGES = 16
"""Messages of a WebSocket that may wait to be carried out. With more, no further one is read."""
MAX_CONNECTIONS = 1_500
"""Connections at once; further ones get 503."""

_decode = msgspec.json.Decoder(WebDoor).decode


async def serve(door: WebDoor, listening: socket.socket) -> None:
    """Serve HTTP until standard input closes."""
    asking = Asking(door.requests)
    hub = Hub(door.feed, asking)
    tokens, peers = Tokens(door.token), Peers()
    identity = Identity(tokens, peers, door.secret)
    app = make_app(Door(asking, hub, tokens, identity), frozenset(door.hosts))
    server = Server(settings(app, peers, door.certificate, door.key))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    ended = asyncio.create_task(stdin_closed())
    tasks = {serving, ended, hub.task}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    hub.end()
    server.end()
    await serving
    ended.cancel()
    await hub.close()
    asking.close()


def settings(
    app: ASGIApp,
    peers: Peers,
    certificate: str = "",
    key: str = "",
    connections: int = MAX_CONNECTIONS,
) -> uvicorn.Config:
    """Return how HTTP is spoken, with TLS where there is a certificate."""
    return uvicorn.Config(
        app,
        http=protocol(peers),
        ws=Messages,
        ws_max_size=1 << 16,
        ws_per_message_deflate=False,  # for each key it would cost more than the key
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=16 << 10,
        limit_concurrency=connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=END_SECONDS,
        ssl_certfile=certificate or None,
        ssl_keyfile=key or None,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which wakes once a second for the date of answers, and when it is to end.

    uvicorn itself looks ten times a second: most of what an idle door would cost.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._over = asyncio.Event()

    def end(self) -> None:
        """End it, in the event loop's thread."""
        self.should_exit = True
        self._over.set()

    async def main_loop(self) -> None:
        """Wait until it is to end."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._over.wait()


def protocol(peers: Peers, head_seconds: float = HEAD_SECONDS) -> type[H11Protocol]:
    """Return uvicorn's HTTP protocol, which says when a connection begins and ends.

    It closes connections on which no whole head comes: uvicorn itself waits without end.
    """

    class Protocol(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            transport.max_size = READ_BYTES  # type: ignore[attr-defined]
            self._plain = transport
            self.transport = Together(transport)  # type: ignore[assignment]
            peers.begin(self.client)
            self._await_head(True)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._await_head(self.conn.their_state is h11.IDLE)

        def connection_lost(self, exc: Exception | None) -> None:
            peers.forget(self.client)
            self._await_head(False)
            super().connection_lost(exc)

        def _await_head(self, waits: bool) -> None:
            """Begin to count, or go on, while a head is under way; else stop."""
            if waits and self._late is None:
                self._late = self.loop.call_later(head_seconds, self.transport.close)
            elif not waits and self._late is not None:
                self._late.cancel()
                self._late = None

        def handle_websocket_upgrade(self, event: h11.Request) -> None:
            peers.forget(self.client)  # another protocol sees the end of this connection
            self.transport = self._plain
            super().handle_websocket_upgrade(event)

    return Protocol


class Messages(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which reads on while few messages wait.

    uvicorn itself stops reading for each message until that is taken: for each key the system is
    told twice what to wait for.
    """

    def data_received(self, data: bytes) -> None:
        """Take what has come. uvicorn does not stop reading where it says that it has."""
        self.read_paused = self.queue.qsize() < FEW_MESSAGES
        super().data_received(data)


def main(words: list[str]) -> None:
    """Start from the words of the command line and the first line of standard input."""
    hide_memory()
    line = first_line()
    if line:
        door = _decode(line)
        logs.hide(door.token, door.secret)
        logs.begin(door.logs)
        asyncio.run(serve(door, socket.socket(fileno=int(words[0]))))


if __name__ == "__main__":
    main(sys.argv[1:])
