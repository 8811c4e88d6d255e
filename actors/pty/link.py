r"""One connection to a terminal host, for an event loop.

    process = spawn(directory, socket=path, token=token, incarnation=1, argv=["claude"], env=env,
                    cwd=worktree, rows=40, columns=120)
    await_ready(process, 20.0)
    link = Link(path, token)
    link.follow(0)
    link.type(b"step-1", [(b"Write the parser.", 300), (b"\\r", 0)])
    for event in link.on_readable():   # when the loop reports that the socket is readable
        ...

`spawn.spawn` starts a host, `events` are what it sends, `console.Console` waits for them.
"""

import socket as sockets
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from actors.host import wire
from actors.pty.events import Closed, Event, Scope, decode_event

FEW, MANY = 1 << 16, 1 << 18
"""How much is read at once: little is cheaper, and much where much has come."""

Steps = Sequence[tuple[bytes, int]]
"""What to type: bytes, and the milliseconds to wait after them."""


class Link:
    """One connection to a host. It never blocks, and belongs to one thread.

    Requests that the socket does not take are kept until it is writable. Creating a link raises
    OSError if nobody listens: FileNotFoundError and ConnectionRefusedError mean that there is no
    host now, BlockingIOError that the host has not accepted earlier connections yet.
    """

    def __init__(self, path: Path | str, token: str) -> None:
        self._socket = sockets.socket(sockets.AF_UNIX)
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._room = FEW
        self.closed = False
        try:
            self._socket.setblocking(False)
            self._socket.connect(str(path))
            self._send(wire.HELLO, token.encode())
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor of the socket, for a selector."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether to call `on_writable` when the socket is writable."""
        return bool(self._outbox)

    def type(self, key: bytes, steps: Steps) -> None:
        """Type the steps, once for this key. The host answers with `Acknowledged`."""
        words = [wire.STEP.pack(delay, len(data)) + data for data, delay in steps]
        self._send(wire.INPUT, wire.KEY_SIZE.pack(len(key)), key, *words)

    def ask_key(self, key: bytes) -> None:
        """Ask what became of an INPUT. The host answers with `KeyKnown`."""
        self._send(wire.KEY, key)

    def ask_output(self, offset: int, limit: int) -> None:
        """Ask for output from `offset`. The host answers with one `Output` of at most 64 KiB."""
        self._send(wire.OUTPUT, wire.RANGE.pack(offset, limit))

    def follow(self, offset: int | None) -> None:
        """Have the host push output from `offset` on as it comes. None stops that."""
        self._send(wire.FOLLOW, wire.SWITCH.pack(offset is not None, offset or 0))

    def quiet(self, silences: Iterable[int]) -> None:
        """Have the host send `Silent` after each of these silences, in milliseconds.

        Each is sent once for each burst of output. The new list replaces the one before.
        """
        self._send(wire.QUIET, *map(wire.MS.pack, silences))

    def resize(self, rows: int, columns: int) -> None:
        """Resize the terminal. The host sends `Resized` to every client."""
        self._send(wire.RESIZE, wire.SIZE.pack(rows, columns))

    def signal(self, signo: int, scope: Scope) -> None:
        """Send a signal to the program, its process group or its session."""
        self._send(wire.SIGNAL, wire.PAIR.pack(signo, scope))

    def end(self, grace_ms: int) -> None:
        """End the program and all it started: SIGTERM, then SIGKILL after `grace_ms`.

        The host sends `Ended` to every client.
        """
        self._send(wire.END, wire.MS.pack(grace_ms))

    def _send(self, kind: int, *parts: bytes) -> None:
        frame = wire.frame(kind, *parts)
        if len(frame) > wire.FRAME_LIMIT + wire.HEAD.size:
            raise ValueError(f"more than {wire.FRAME_LIMIT} bytes in one request")
        if not self.closed:
            self._outbox += frame
            self.on_writable()

    def on_writable(self) -> None:
        """Send what the socket takes. `on_readable` reports a lost connection."""
        if self.closed:
            return
        try:
            while self._outbox:
                del self._outbox[: self._socket.send(self._outbox)]
        except OSError:
            pass

    def on_readable(self) -> list[Event]:
        """Return the events that have come. `Closed` is the last; the link is closed then."""
        events: list[Event] = []
        reason = ""
        try:
            data = self._socket.recv(self._room)
            self._room = MANY if len(data) == self._room else FEW
            self._inbox += data
            if not data:
                reason = "the host has closed the connection"
        except BlockingIOError:
            pass
        except OSError as error:
            reason = str(error)
        try:
            while frame := wire.take(self._inbox):
                events.append(decode_event(*frame))
        except (ValueError, struct.error, msgspec.DecodeError) as error:
            reason = f"the host sent a malformed frame: {error}"
        if reason and not self.closed:
            events.append(Closed(reason))
            self.close()
        return events

    def close(self) -> None:
        """Close the connection. The host goes on."""
        self.closed = True
        self._socket.close()
