"""Entering a terminal: from a key to its echo, and a commit beside watched terminals.

The program is a shell, which echoes each key itself. The reference is the same shell in a bare PTY,
whose other end this process holds.
"""

import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import struct
import sys
import termios
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import zmq

from bench.company import ENV, ROOT, USERS_ENV, Company
from bench.refs import Branch
from bench.refs import ours as told
from bench.table import Row, alternate, at_most, percentile
from bus import connection
from bus.status import WorkflowStatus
from bus.subscriber import Subscriber

SHELL = ["bash", "--norc", "--noprofile", "-i"]
FULL_SPEED = [
    "sh",
    "-c",
    "while :; do echo a line of output that is written as fast as can be; done",
]
AT = "w0/t0/1/"
UPGRADE = (
    "GET /api/terminals/{at}stream HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TEXT, BINARY, PING, PONG = 1, 2, 9, 10
"""Kinds of a WebSocket's frames."""
LONG = 126
"""What stands for the size of a frame whose size comes in two bytes; with 127 it comes in eight."""


class Screen:
    """A PTY in which a program runs; its other end is held here."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self.pid, self.master = pty.fork()
        if not self.pid:
            os.execvpe(argv[0], argv, env)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def settle(self) -> None:
        """Read until nothing comes for half a second."""
        self.expect(b"$ ")
        os.set_blocking(self.master, False)
        last = time.monotonic()
        while time.monotonic() - last < 0.5:
            try:
                if os.read(self.master, 65536):
                    last = time.monotonic()
            except BlockingIOError:
                time.sleep(0.02)
        os.set_blocking(self.master, True)

    def expect(self, text: bytes) -> None:
        """Read until this has come."""
        got = b""
        while text not in got:
            got += os.read(self.master, 65536)

    def keys(self, count: int) -> float:
        """Return the median microseconds from a key to its echo."""
        taken = []
        for number in range(count):
            key = b"abcdefgh"[number % 8 : number % 8 + 1]
            began = time.perf_counter()
            os.write(self.master, key)
            self.expect(key)
            taken.append(time.perf_counter() - began)
            time.sleep(0.002)
        os.write(self.master, b"\x15")
        time.sleep(0.1)
        return percentile(taken, 0.5) * 1e6

    def leave(self) -> None:
        """End `attach` with Ctrl-q, which gives the keyboard to others."""
        os.write(self.master, b"\x11")
        with contextlib.suppress(OSError):  # EIO: the program has ended
            while os.read(self.master, 65536):
                pass
        os.waitpid(self.pid, 0)
        os.close(self.master)

    def close(self) -> None:
        """End the program."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)


class Socket:
    """The terminal over its WebSocket.

    The client is written here, as the reference's is: those of Python's libraries hand each frame
    from a thread to another, which would be counted as the door's.
    """

    def __init__(self, company: Company) -> None:
        served = connection.read(company.home)
        assert served.http is not None
        host, _, port = urlsplit(served.http).netloc.partition(":")
        self._socket = socket.create_connection((host, int(port)), 30.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = self._socket.makefile("rb")
        self._socket.sendall(UPGRADE.format(at=AT, host=f"{host}:{port}").encode())
        while self._frames.readline() != b"\r\n":
            pass
        self._say(type="token", token=served.token)
        self._say(type="take")
        while b"$ " not in self._output():
            pass

    def _say(self, **words: object) -> None:
        self._send(TEXT, json.dumps(words).encode())

    def _send(self, kind: int, payload: bytes) -> None:
        """Send a frame of less than 126 bytes, masked with zeros."""
        self._socket.sendall(bytes((0x80 | kind, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def _output(self) -> bytes:
        """Return the next piece of output."""
        while True:
            kind, size = self._frames.read(2)
            if size >= LONG:
                size = int.from_bytes(self._frames.read(2 if size == LONG else 8))
            payload = self._frames.read(size)
            if kind & 0xF == BINARY:
                return payload[8:]
            if kind & 0xF == PING:
                self._send(PONG, payload)

    def keys(self, count: int) -> float:
        """Return the median microseconds from a key to its echo."""
        taken = []
        for number in range(count):
            key = "abcdefgh"[number % 8]
            began = time.perf_counter()
            self._say(type="input", key=f"{began}", data=key)
            while key.encode() not in self._output():
                pass
            taken.append(time.perf_counter() - began)
            time.sleep(0.002)
        self._say(type="input", key=f"{began}-end", data="\x15")
        time.sleep(0.1)
        return percentile(taken, 0.5) * 1e6

    def close(self) -> None:
        """Leave."""
        self._frames.close()
        self._socket.close()


def echoes(at: Path, rounds: int, count: int) -> list[Row]:
    """Measure the echo through `attach` and through the WebSocket, against a bare PTY."""
    env = {**ENV, "PS1": "$ "}
    with Company(at / "entered") as company:
        company.hire(1, ["env", "PS1=$ ", *SHELL])
        company.serve(options=["--http", "127.0.0.1:0"])
        attach = [sys.executable, str(ROOT / "run.py"), "attach", AT, "--home", str(company.home)]
        sides = []
        for argv, its in ((attach, {**USERS_ENV, "TERM": "xterm-256color"}), (SHELL, env)):
            sides.append(Screen(argv, its))
            sides[-1].settle()
        mine, bare = sides
        try:
            entered, reference = alternate(
                rounds, lambda: mine.keys(count), lambda: bare.keys(count)
            )
            mine.leave()
            web = Socket(company)
            through, again = alternate(rounds, lambda: web.keys(count), lambda: bare.keys(count))
            web.close()
        finally:
            bare.close()
    what, against = "key to its echo", "the shell in a bare PTY"
    return [
        at_most(f"{what} through attach, p50", "us", (entered, reference), 3, against),
        at_most(f"{what} through a WebSocket, p50", "us", (through, again), 5, against),
    ]


class Watching(threading.Thread):
    """A subscriber to the output of every terminal."""

    def __init__(self, feed: str) -> None:
        super().__init__(daemon=True)
        self.taken = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.subscribe(b"output/")
        self._socket.connect(feed)
        self._over = threading.Event()

    def run(self) -> None:
        """Take output until `end`."""
        while not self._over.is_set():
            if self._socket.poll(200):
                self.taken += len(self._socket.recv())

    def end(self) -> None:
        """Stop watching."""
        self._over.set()
        self.join()
        self._context.destroy(0)


def watched(at: Path, commits: int) -> Row:
    """Measure a commit to its fact while 20 terminals at full speed are watched."""
    with Company(at / "watched") as company:
        company.hire(7, FULL_SPEED, WorkflowStatus.RUNNING)
        company.serve()
        served = connection.read(company.home)
        subscriber = Subscriber(served.feed, served.requests)
        while subscriber.next(0.5) is not None:
            pass
        watching = Watching(served.feed)
        watching.start()
        time.sleep(2.0)
        began, before = time.monotonic(), watching.taken
        branch = Branch(company.root / "repo0" / ".git", "refs/heads/w0/t0")
        taken = []
        for _ in range(commits):
            taken.append(told(branch, subscriber))
            time.sleep(0.02)
        rate = (watching.taken - before) / (time.monotonic() - began) / 1e6
        subscriber.close()
        watching.end()
    p50, p99 = percentile(taken, 0.5), percentile(taken, 0.99)
    what = "commit to fact beside 21 watched terminals at full speed, p99"
    note = f"{rate:.1f} MB/s watched"
    return Row(what, "ms", p99, p50, "its median", p99 / p50, "< 50 ms", p99 < 50, note)


def run(at: Path, quick: bool) -> list[Row]:
    """Measure entering, and watching."""
    rounds, count, commits = (3, 30, 40) if quick else (5, 100, 200)
    return [*echoes(at, rounds, count), watched(at, commits)]
