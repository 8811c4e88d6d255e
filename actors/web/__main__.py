"""The web door's process: `python -m actors.web FD OWNER`.

The runtime starts it, and hands it the listening socket as the descriptor FD, so that the address
stays the same when this process is started again. The first line of standard input says where
the runtime is (`bus.connection.WebDoor`, as JSON). The process ends when standard input closes:
a runtime that was killed leaves no web door behind. OWNER is the mark by which the next runtime
of the home finds what a killed one left.
"""

import asyncio
import os
import socket
import sys

import msgspec
import uvicorn

from actors.web.access import Tokens
from actors.web.app import Door, make_app
from actors.web.asking import Asking
from actors.web.stream import Hub
from bus.connection import WebDoor

END_SECONDS = 2
"""How long open requests may take when the process is to end."""
MAX_CONNECTIONS = 1_500
"""Connections at once; further ones get 503."""

_decode = msgspec.json.Decoder(WebDoor).decode


async def serve(door: WebDoor, listening: socket.socket) -> None:
    """Serve HTTP until standard input closes."""
    asking = Asking(door.requests)
    hub = Hub(door.feed, asking)
    app = make_app(Door(asking, hub, Tokens(door.token)), frozenset(door.hosts))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="websockets-sansio",
            ws_max_size=1 << 16,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=16 << 10,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=END_SECONDS,
            ssl_certfile=door.certificate or None,
            ssl_keyfile=door.key or None,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    ended = asyncio.create_task(_stdin_closed())
    await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
    hub.end()
    server.should_exit = True
    await serving
    ended.cancel()
    await hub.close()
    await asking.close()


async def _stdin_closed() -> None:
    """Return when the runtime's end of the pipe is closed."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    loop.add_reader(0, lambda: closed.set() if not os.read(0, 4096) else None)
    await closed.wait()


def main(words: list[str]) -> None:
    """Start from the words of the command line and the first line of standard input."""
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(0, 1)
        if not read:
            return
        line += read
    asyncio.run(serve(_decode(line), socket.socket(fileno=int(words[0]))))


if __name__ == "__main__":
    main(sys.argv[1:])
