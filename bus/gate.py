"""The gate: where clients connect, and how many may.

The gate keeps each endpoint reachable while the process has room for further connections. Without
room it renames the socket's file, because libzmq aborts the process if it cannot accept a
connection. A new client then waits until others have left. If somebody removed the file, the gate
binds the endpoint again. Connected clients notice neither; unbinding a socket would cut them off.

One thread reads the monitors of the sockets.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import zmq

from bus.context import Context

log = logging.getLogger("callboard.bus")

Socket = zmq.Socket[bytes]

FULL_MS = 1_000
"""Milliseconds between a full gate's checks for room."""
WAVE = 8
"""Clients that may wait to be accepted; any further one retries after 0.1 s.

This bounds how many get in before the gate is shut.
"""
LATER = 16
"""Free connections that a full gate needs before it opens again."""
CLOSE_SECONDS = 2.0
"""Longest wait for the thread to close a monitor."""


class Entrance:
    """One socket and the endpoint to which clients connect.

    `lock` is held while the socket is used. `on_used` is called after each use, because a use
    resets the edge of the socket's descriptor (`ZMQ_FD`).
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
        self._inode: int | None = None  # of the file to which clients connect
        socket.backlog = WAVE
        self.monitor: Socket = socket.get_monitor_socket(zmq.Event.ACCEPTED)

    def bind(self) -> None:
        """Listen at `endpoint`, even if an earlier listener has lost its file.

        Raise `ZMQError`.
        """
        with self.lock:
            self.socket.bind(self.endpoint)
        self._inode = _inode(_path(self.endpoint))
        self.on_used()

    @property
    def is_lost(self) -> bool:
        """Whether the socket's file was removed or replaced, so that clients cannot connect."""
        path = _path(_aside(self.endpoint) if self.shut else self.endpoint)
        return path is not None and _inode(path) != self._inode

    def keep_out(self, shut: bool) -> None:
        """Stop letting new clients in (`shut`), or start again. Connected clients stay."""
        here, aside = _path(self.endpoint), _path(_aside(self.endpoint))
        if here is not None and aside is not None and shut != self.shut:
            with suppress(OSError):  # the file is lost: `look` binds again when there is room
                (here if shut else aside).rename(aside if shut else here)
            self.shut = shut


class Gate:
    """All entrances of this process.

    Any thread may call its methods. `room` returns how many further connections fit, and is called
    in any thread.
    """

    def __init__(self, room: Callable[[], int] = lambda: 1 << 30) -> None:
        self._room = room
        self._left = room()
        self._full = False
        self._entrances: list[Entrance] = []
        self._lock = threading.RLock()
        self._context = Context()
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
        """Listen for clients. Raise `ZMQError` if the endpoint cannot be bound."""
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
        """Measure the room, and bind each endpoint again whose file was removed."""
        with self._lock:
            self._measure()
            for entrance in self._entrances:
                if not self._full and not entrance.leaving and entrance.is_lost:
                    self._bind(entrance)

    def move(self, old: str, new: str) -> None:
        """Listen in the directory `new` instead of `old`. Connected clients stay connected."""
        with self._lock:
            for entrance in self._entrances:
                entrance.endpoint = entrance.endpoint.replace(old, new)
                self._bind(entrance)

    def forget(self, entrance: Entrance) -> None:
        """Release an entrance before its owner closes the socket, which ends the listener."""
        with entrance.lock:  # first: libzmq would wait for ever to send to a closed monitor
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
        """End the thread. Call this after `forget` for every entrance."""
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
                entrance.monitor.recv_multipart()
                self._left -= 1
                if self._left <= 0:
                    self._measure()

    def _let_go(self) -> None:
        """Close the monitors of the leaving entrances; only this thread may use monitors."""
        with self._lock:
            for entrance in [e for e in self._entrances if e.leaving]:
                self._entrances.remove(entrance)
                entrance.keep_out(False)  # else the renamed file would stay behind
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
    """Return the file of an `ipc` endpoint; None for another transport."""
    return Path(endpoint.removeprefix("ipc://")) if endpoint.startswith("ipc://") else None


def _aside(endpoint: str) -> str:
    """Return the endpoint under which the socket's file is kept while the gate is shut."""
    return f"{endpoint}-full"


def _inode(path: Path | None) -> int | None:
    try:
        return path.stat().st_ino if path is not None else None
    except OSError:
        return None
