"""The gate: where clients connect, and how many may.

It keeps each endpoint reachable, except where the process has no room for further connections:
libzmq aborts the process when it cannot accept one. Then the socket's file is renamed, and a client
that connects waits until others have left. Where the file was removed by somebody, the endpoint is
bound again. Who is connected notices nothing: to unbind a socket would cut its connections.

One thread reads the monitors of the sockets.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import zmq
from zmq.utils.monitor import recv_monitor_message

log = logging.getLogger("callboard.bus")

Socket = zmq.Socket[bytes]

FULL_MS = 1_000
"""Milliseconds until a full gate looks again whether there is room."""
WAVE = 8
"""Clients that may wait to be accepted; with more, each tries again after a tenth of a second.
So not too many get in before the gate is shut."""
LATER = 16
"""Connections that must be possible before a full gate opens again."""
CLOSE_SECONDS = 2.0
"""What the thread may take to let go of a monitor."""


class Entrance:
    """One socket and the endpoint where clients look for it.

    `lock` is held while the socket is used; `on_used` is called after each use, because that resets
    the edge of its descriptor.
    """

    def __init__(
        self, socket: Socket, endpoint: str, lock: threading.Lock, on_used: Callable[[], None]
    ) -> None:
        self.socket = socket
        self.endpoint = endpoint
        self.lock = lock
        self.on_used = on_used
        self.shut = False
        self.leaving = False
        self.left = threading.Event()
        self._inode: int | None = None  # of the file that clients look for
        socket.backlog = WAVE
        self.monitor: Socket = socket.get_monitor_socket(zmq.Event.ACCEPTED)

    def bind(self) -> None:
        """Listen at `endpoint`, also where an earlier listener has lost its file.

        Raises `ZMQError`.
        """
        with self.lock:
            self.socket.bind(self.endpoint)
        self._inode = _inode(_path(self.endpoint))
        self.on_used()

    @property
    def is_lost(self) -> bool:
        """Clients do not find it where they look."""
        path = _path(_aside(self.endpoint) if self.shut else self.endpoint)
        return path is not None and _inode(path) != self._inode

    def keep_out(self, shut: bool) -> None:
        """Let nobody in any more, or again. Who is connected stays."""
        here, aside = _path(self.endpoint), _path(_aside(self.endpoint))
        if here is not None and aside is not None and shut != self.shut:
            with suppress(OSError):  # lost: it is bound again when there is room
                (here if shut else aside).rename(aside if shut else here)
            self.shut = shut


class Gate:
    """All entrances of this process.

    Any thread may call; `room` says how many more connections there is room for, and is called in
    any thread.
    """

    def __init__(self, room: Callable[[], int] = lambda: 1 << 30) -> None:
        self._room = room
        self._left = room()
        self._full = False
        self._entrances: list[Entrance] = []
        self._lock = threading.RLock()
        self._context = zmq.Context()
        self._heard, self._wake = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        self._heard.bind(f"inproc://gate-{id(self)}")
        self._wake.connect(f"inproc://gate-{id(self)}")
        self._going = True
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self._thread.start()

    def open(
        self,
        socket: Socket,
        endpoint: str,
        lock: threading.Lock,
        on_used: Callable[[], None] = lambda: None,
    ) -> Entrance:
        """Listen for clients. Raises `ZMQError` where the endpoint cannot be bound."""
        entrance = Entrance(socket, endpoint, lock, on_used)
        try:
            entrance.bind()
        except zmq.ZMQError:
            socket.disable_monitor()
            entrance.monitor.close()
            raise
        with self._lock:
            self._entrances.append(entrance)
        self._rouse()
        return entrance

    def look(self) -> None:
        """Make each endpoint reachable again whose file was removed; look for room."""
        with self._lock:
            self._measure()
            for entrance in self._entrances:
                if not self._full and not entrance.leaving and entrance.is_lost:
                    self._bind(entrance)

    def move(self, old: str, new: str) -> None:
        """Listen in another directory from now on. Whoever is connected stays connected."""
        with self._lock:
            for entrance in self._entrances:
                entrance.endpoint = entrance.endpoint.replace(old, new)
                self._bind(entrance)

    def forget(self, entrance: Entrance) -> None:
        """Its socket is about to be closed, and takes the listener with it."""
        with entrance.lock:  # first: libzmq would wait for ever to tell a monitor that is closed
            entrance.socket.disable_monitor()
        with self._lock:
            entrance.leaving = True
        self._rouse()
        entrance.left.wait(CLOSE_SECONDS)

    def _bind(self, entrance: Entrance) -> None:
        try:
            entrance.bind()
        except zmq.ZMQError as error:
            log.warning("%s cannot be opened: %s", entrance.endpoint, error)

    def stop(self) -> None:
        """End the thread, after every entrance was forgotten."""
        self._going = False
        self._rouse()
        self._thread.join()
        self._heard.close(0)
        self._wake.close(0)
        self._context.term()

    def _rouse(self) -> None:
        with self._lock:
            self._wake.send(b"")

    # ---- the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while self._going:
            with self._lock:
                listened = {entrance.monitor: entrance for entrance in self._entrances}
            poller = zmq.Poller()
            for socket in (self._heard, *listened):
                poller.register(socket, zmq.POLLIN)
            for socket, _ in poller.poll(FULL_MS if self._full else None):
                if socket is self._heard:
                    self._heard.recv()
                else:
                    self._read(listened[socket])
            if self._full:
                self.look()
            self._let_go()

    def _read(self, entrance: Entrance) -> None:
        with self._lock:
            while entrance.monitor.poll(0):
                recv_monitor_message(entrance.monitor)
                self._left -= 1
                if self._left <= 0:
                    self._measure()

    def _let_go(self) -> None:
        """Of those that leave; their monitors are used by this thread alone."""
        with self._lock:
            for entrance in [e for e in self._entrances if e.leaving]:
                self._entrances.remove(entrance)
                entrance.keep_out(False)  # or its file would stay behind
                entrance.monitor.close(0)
                entrance.left.set()

    def _measure(self) -> None:
        self._left = self._room()
        full = self._left < (LATER if self._full else 1)
        if full != self._full:
            self._full = full
            if full:
                log.warning("no room for further clients: they wait until others have left")
            for entrance in self._entrances:
                entrance.keep_out(full)


def _path(endpoint: str) -> Path | None:
    """The file of an `ipc` endpoint."""
    return Path(endpoint.removeprefix("ipc://")) if endpoint.startswith("ipc://") else None


def _aside(endpoint: str) -> str:
    """Where the file of a full endpoint is."""
    return f"{endpoint}-full"


def _inode(path: Path | None) -> int | None:
    try:
        return path.stat().st_ino if path is not None else None
    except OSError:
        return None
