"""The runtime's end of a terminal: start a host, talk to it, be told.

`spawn` starts a host that outlives this process. A `Link` is one connection to a host for an
event loop: it has `fileno()`, it never blocks, and what comes is turned into events. `Console`
is the same with waiting, for the command line and for tests. The words are those of `wire`.

    process = link.spawn(directory, socket=path, token=token, incarnation=1,
                         argv=["claude"], env=env, cwd=worktree, rows=40, columns=120)
    # process.stdout becomes readable: b"R" it listens, b"" it could not (process.poll() says why)
    terminal = link.Link(path, token)
    terminal.follow(0)
    terminal.type(b"step-1", link.paste("Write the parser."))
    for event in terminal.on_readable():   # when the loop says so
        ...

No thread is started here; use one Link from one thread.
"""

import contextlib
import os
import select
import socket as sockets
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from actors.host import wire
from actors.platform.processes import Exit, decode_exit

HOST = Path(__file__).parents[1] / "host" / "host.py"
SOCKET_PATH_LIMIT = 100  # bytes; macOS has 104 with the end mark
ENTER_DELAY = 300  # ms between a paste and Enter: sooner, CLIs swallow the Enter


class Refusal(IntEnum):
    """Exit codes of a host that did not start its program."""

    ARGUMENTS = 64
    UNUSABLE = 73
    ANOTHER_RUNS = 75
    HAS_ENDED = 76
    HOST_DIED = 77


class Result(IntEnum):
    """What became of an INPUT."""

    DONE = wire.DONE  # typed, by this request
    ALREADY = wire.ALREADY  # typed, by an earlier request with this key
    REFUSED = wire.REFUSED  # not typed, or not to its end: the program ended, or too much waits


class KeyState(IntEnum):
    UNKNOWN = wire.UNKNOWN
    PENDING = wire.PENDING
    TYPED = wire.TYPED
    CUT = wire.CUT  # typed in part when the program ended


class Scope(IntEnum):
    PROGRAM = wire.PROGRAM
    GROUP = wire.GROUP
    SESSION = wire.SESSION  # and on Linux all its descendants


class Welcome(msgspec.Struct, frozen=True):
    incarnation: int
    program_pid: int
    start: int  # of the output that is still there
    end: int
    exited: bool
    rows: int
    columns: int


class Acknowledged(msgspec.Struct, frozen=True):
    key: bytes
    result: Result
    offset: int  # end of the output when its first byte was typed


class KeyKnown(msgspec.Struct, frozen=True):
    key: bytes
    state: KeyState
    offset: int


class Output(msgspec.Struct, frozen=True):
    """Bytes at their real offset, greater than awaited where some are lost.

    The answer to `ask_output` (no bytes: there are none from there on), or pushed to a follower.
    """

    offset: int
    data: bytes
    pushed: bool


class Silent(msgspec.Struct, frozen=True):
    """Nothing has come for ms since the last output, or since something was typed."""

    ms: int
    offset: int


class Resized(msgspec.Struct, frozen=True):
    rows: int
    columns: int


class Ended(msgspec.Struct, frozen=True):
    """The program has ended and no output is left. Close the link: the host waits 2 s for that."""

    exit: Exit


class Closed(msgspec.Struct, frozen=True):
    """The connection is over, which says nothing about the program. Always the last event."""

    reason: str


Event = Welcome | Acknowledged | KeyKnown | Output | Silent | Resized | Ended | Closed
E = TypeVar("E", bound=Event)
Steps = Sequence[tuple[bytes, int]]


def spawn(
    directory: Path,
    *,
    socket: Path,
    token: str,
    incarnation: int,
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    rows: int,
    columns: int,
    log_bytes: int = 8 << 20,
) -> subprocess.Popen[bytes]:
    """Starts a host in a session of its own; returns at once.

    Safe to repeat for the same directory: only one host starts, once. The host has none of this
    process's files. Its stdout says b"R" when it listens. Keep the result, and poll() it when it
    has ended, so that no zombie stays. Raises OSError when cwd or directory cannot be used and
    ValueError for what could not be written down safely.
    """
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT or not str(socket).isprintable():
        raise ValueError(f"socket path is not printable or over {SOCKET_PATH_LIMIT} bytes")
    if not token.isascii() or not token.replace("-", "").replace("_", "").isalnum():
        raise ValueError("token must be letters, digits, - and _")
    if not argv:
        raise ValueError("argv is empty")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-I", "-S", str(HOST), "--dir", str(directory.absolute())]
    command += ["--socket", str(socket.absolute()), "--token", token]
    command += ["--incarnation", str(incarnation), "--size", f"{rows}x{columns}"]
    command += ["--log-bytes", str(log_bytes), "--", *argv]
    errors = os.open(directory / "host.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            close_fds=True,
        )
    finally:
        os.close(errors)


def paste(text: str, delay: int = ENTER_DELAY) -> Steps:
    """Steps that submit text as one instruction: a bracketed paste, delay ms, Enter.

    ESC is taken out of text: the end mark of a paste within it would turn the rest into keys.
    """
    clean = text.replace("\x1b", "").encode("utf-8", "replace")
    return [(b"\x1b[200~" + clean + b"\x1b[201~", delay), (b"\r", 0)]


class Link:
    """One connection to a host. What is sent before the loop comes round waits here.

    Raises OSError when nobody listens: FileNotFoundError and ConnectionRefusedError mean that
    there is no host now, BlockingIOError that it has not come to its door yet.
    """

    def __init__(self, path: Path | str, token: str) -> None:
        self._socket = sockets.socket(sockets.AF_UNIX)
        self._inbox = bytearray()
        self._outbox = bytearray()
        self.closed = False
        try:
            self._socket.setblocking(False)
            self._socket.connect(str(path))
            self._send(wire.HELLO, token.encode())
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Something waits to be sent: call on_writable when the socket is writable."""
        return bool(self._outbox)

    def type(self, key: bytes, steps: Steps) -> None:
        """Types steps of (bytes, ms to wait after), once for this key. Comes: Acknowledged."""
        words = [wire.STEP.pack(delay, len(data)) + data for data, delay in steps]
        self._send(wire.INPUT, wire.KEY_SIZE.pack(len(key)), key, *words)

    def ask_key(self, key: bytes) -> None:
        """Comes: KeyKnown."""
        self._send(wire.KEY, key)

    def ask_output(self, offset: int, limit: int) -> None:
        """Comes: Output, of at most limit or 64 KiB. Ask again when it has come."""
        self._send(wire.OUTPUT, wire.RANGE.pack(offset, limit))

    def follow(self, offset: int | None) -> None:
        """Output as it comes, from offset on; None stops it."""
        self._send(wire.FOLLOW, wire.SWITCH.pack(offset is not None, offset or 0))

    def quiet(self, silences: Iterable[int]) -> None:
        """Comes: Silent, once a burst for each of these ms. Replaces those asked for before."""
        self._send(wire.QUIET, *map(wire.MS.pack, silences))

    def resize(self, rows: int, columns: int) -> None:
        """Comes, to every client: Resized."""
        self._send(wire.RESIZE, wire.SIZE.pack(rows, columns))

    def signal(self, signo: int, scope: Scope) -> None:
        self._send(wire.SIGNAL, wire.PAIR.pack(signo, scope))

    def end(self, grace_ms: int) -> None:
        """TERM to all of it, KILL after grace_ms. Comes, to every client: Ended."""
        self._send(wire.END, wire.MS.pack(grace_ms))

    def _send(self, kind: int, *parts: bytes) -> None:
        if sum(map(len, parts)) > wire.FRAME_LIMIT:
            raise ValueError(f"more than {wire.FRAME_LIMIT} bytes in one request")
        if not self.closed:
            self._outbox += wire.frame(kind, *parts)
            self.on_writable()

    def on_writable(self) -> None:
        """Sends what the socket takes. A lost connection is told by on_readable."""
        if self.closed:
            return
        with contextlib.suppress(OSError):
            while self._outbox:
                del self._outbox[: self._socket.send(self._outbox)]

    def on_readable(self) -> list[Event]:
        """What has come. Ends with Closed when the connection is over; then close() is done."""
        events: list[Event] = []
        reason = ""
        try:
            data = self._socket.recv(1 << 18)
            self._inbox += data
            if not data:
                reason = "the host has closed the connection"
        except BlockingIOError:
            pass
        except OSError as error:
            reason = str(error)
        try:
            while frame := wire.take(self._inbox):
                events.append(_event(*frame))
        except (ValueError, struct.error, msgspec.DecodeError) as error:
            reason = f"not the words of a host: {error}"
        if reason and not self.closed:
            events.append(Closed(reason))
            self.close()
        return events

    def close(self) -> None:
        self.closed = True
        self._socket.close()


def _event(kind: int, payload: bytes) -> Event:
    """Raises ValueError, struct.error or msgspec.DecodeError."""
    if kind == wire.WELCOME:
        incarnation, pid, start, end, exited, *size = wire.GREETING.unpack(payload)
        return Welcome(incarnation, pid, start, end, bool(exited), *size)
    if kind == wire.ACK:
        result, offset = wire.STATE.unpack_from(payload)
        return Acknowledged(payload[wire.STATE.size :], Result(result), offset)
    if kind == wire.KEY_STATE:
        state, offset = wire.STATE.unpack_from(payload)
        return KeyKnown(payload[wire.STATE.size :], KeyState(state), offset)
    if kind in (wire.BYTES, wire.PUSH):
        (offset,) = wire.FROM.unpack_from(payload)
        return Output(offset, payload[wire.FROM.size :], kind == wire.PUSH)
    if kind == wire.SILENT:
        return Silent(*wire.SILENCE.unpack(payload))
    if kind == wire.RESIZED:
        return Resized(*wire.SIZE.unpack(payload))
    if kind == wire.EXIT:
        return Ended(decode_exit(payload))
    raise ValueError(f"unknown frame {kind}")


class Console:
    """A Link that waits. Events nobody has awaited yet are kept in their order."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._kept: list[Event] = []

    def next(self, kind: type[E], timeout: float) -> E:
        """The next event of this kind. Raises TimeoutError, or ConnectionError once closed."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self._kept:
                if isinstance(event, kind):
                    self._kept.remove(event)
                    return event
            if self.link.closed:
                raise ConnectionError(f"closed before {kind.__name__} came")
            writers = [self.link] if self.link.wants_write else []
            patience = deadline - time.monotonic()
            readable, writable, _ = select.select([self.link], writers, [], max(0.0, patience))
            if writable:
                self.link.on_writable()
            if readable:
                self._kept += self.link.on_readable()
            elif not writable and patience <= 0:
                raise TimeoutError(f"no {kind.__name__} in {timeout} s")

    def forget(self, kind: type[Event]) -> None:
        """Drops the events of this kind that have come and nobody has awaited."""
        self._kept = [event for event in self._kept if not isinstance(event, kind)]

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()


def connect(path: Path | str, token: str, timeout: float) -> tuple[Console, Welcome]:
    """A console that has been welcomed. Raises OSError, TimeoutError among them."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            console = Console(Link(path, token))
            break
        except BlockingIOError:  # many are at the door; there is no event to wait for
            if time.monotonic() >= deadline:
                raise TimeoutError(f"the host has let nobody in for {timeout} s") from None
            time.sleep(0.01)
    try:
        return console, console.next(Welcome, max(0.0, deadline - time.monotonic()))
    except OSError:
        console.link.close()
        raise


def await_ready(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Until the host that spawn started listens. Raises TimeoutError, or ChildProcessError with
    the exit code as errno when it has ended instead."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], timeout)[0]:
        raise TimeoutError(f"the host has not come up in {timeout} s")
    if not os.read(process.stdout.fileno(), 1):
        code = process.wait(timeout)
        raise ChildProcessError(code, "the host did not start its program")
