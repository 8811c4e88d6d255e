"""The process of the model gateway: `python -m actors.models`.

The first line of standard input says where it is to listen (`said.Start`); when it does, it says
where on standard output (`said.Place`). It serves agents whose runtime was killed, and the next
runtime of the home finds it by its lock. It ends at SIGTERM, or when no runtime and no terminal of
its home is left.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from actors.models.breaker import Breaker
from actors.models.control import Control
from actors.models.inlet import Inlet
from actors.models.said import LOCK, PLACE, Place, Start, decode_start, line
from actors.models.serving import Connection
from actors.models.upstream import Pool
from actors.platform import allocator
from actors.platform.disk import write_durably
from actors.pty.records import find_hosts
from bus import connection, logs
from bus.doors import first_line
from bus.secrecy import hide_memory

log = logging.getLogger("callboard.models")

MAX_CONNECTIONS = 1_000
"""Connections of agents at once; further ones are closed."""
LOOK_SECONDS = 30.0
"""How often it looks whether anybody is left, while no runtime listens."""
BACKLOG = 256
KEPT = 16 << 20
"""Bytes of memory that are kept for the next requests: some long conversations."""
_LINE = 1 << 20


class Process:
    """Serves agents, and the runtime, in one event loop."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._control = Control(start.secret)
        self._pool = Pool()
        self._breaker = Breaker()
        self._hosts: frozenset[bytes] = frozenset()
        self._open: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    async def serve(self) -> None:
        """Listen, say where, and serve until nobody needs it."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._ended.set)
        listening = _listen(self._start.port)
        port = listening.getsockname()[1]
        names = ("127.0.0.1", "localhost")
        self._hosts = frozenset(f"{name}:{port}".encode() for name in names)
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(self._inlet, sock=listening, backlog=BACKLOG)]
        control, door = _free(self._start.control), _free(self._start.door)
        servers.append(await asyncio.start_unix_server(self._control.meet, control, limit=_LINE))
        servers.append(await loop.create_unix_server(self._inlet, door))
        place = Place(os.getpid(), port, self._start.control)
        write_durably(Path(self._start.home) / PLACE, line(place))
        sys.stdout.buffer.write(line(place))
        sys.stdout.buffer.flush()
        _let_go(sys.stdout.fileno())
        await self._until_nobody()
        for server in servers:
            server.close()
        for task in self._open:
            task.cancel()
        await self._control.grants.flush()
        for path in (self._start.control, self._start.door):
            Path(path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            Path(self._start.door).parent.rmdir()

    def _inlet(self) -> Inlet:
        return Inlet(self._agent)

    async def _agent(self, inlet: Inlet) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            inlet.transport.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            control = self._control
            await Connection(
                inlet, self._hosts, control.grants, self._pool, self._breaker, control
            ).serve()
        finally:
            self._open.discard(task)

    async def _until_nobody(self) -> None:
        """Return at SIGTERM, or when neither a runtime nor a terminal is left."""
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._ended.wait()
            self._pool.close_old()
            if not self._control.has_runtime and not await asyncio.to_thread(self._is_needed):
                return

    def _is_needed(self) -> bool:
        hosts = find_hosts(Path(self._start.home) / "terminals")
        return any(host.alive is not False for host in hosts)


def _free(path: str) -> str:
    """Return the path of a socket, where nothing lies any more."""
    Path(path).parent.mkdir(mode=0o700, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    return path


def _listen(port: int) -> socket.socket:
    """Listen on the loopback interface, on this port if it is free and on another if not."""
    for wanted in (port, 0):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", wanted))
        except OSError:
            listening.close()
        else:
            return listening
    raise OSError("no port of the loopback interface is free")


def _let_go(fd: int) -> None:
    """Close a descriptor that the runtime reads; what is written there later is lost."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, fd)
    os.close(null)


def main() -> None:
    """Start from the first line of standard input."""
    hide_memory()
    allocator.keep_freed(KEPT)
    logs.begin(logs.DEFAULT)
    said = first_line()
    if said:
        start = decode_start(said)
        _let_go(0)
        if connection.hold(Path(start.home), LOCK) is not None:
            asyncio.run(Process(start).serve())


if __name__ == "__main__":
    main()
