"""The process of the model gateway, with a test in the place of the runtime, and a server above it.

`Desk` starts the process and answers its questions; `Upstream` is a provider whose connections a
function serves byte by byte.
"""

import fcntl
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from actors.models import said, starting
from actors.models.said import Asked, Grant, Granted, Place, Refused, Served, Taken, Used

KEY = "sk-of-the-provider"
TOKEN = "callboard-token"
SECRET = "s3cret"


class Request(msgspec.Struct):
    """What the upstream server got: the head as it came, and the body."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n")[0].decode()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = [each.partition(": ") for each in lines if each]
        return {name.lower(): value for name, _, value in pairs}


Serve = Callable[[socket.socket, Request], None]
"""Answers one request on an open connection, and may leave it open."""


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer with its length."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{named}content-length: {len(body)}\r\n\r\n".encode() + body


class Upstream:
    """A server on a free port. `requests` are those that came, `connections` how many."""

    def __init__(self, serve: Serve) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        # `OSError`: the gateway, or the function itself, hangs up.
        with connection, connection.makefile("rb") as file, suppress(OSError):
            while head := b"".join(iter(file.readline, b"\r\n")) if file.peek(1) else b"":
                request = Request(head, b"")
                request.body = file.read(int(request.headers.get("content-length", 0)))
                self.requests.append(request)
                self._serve(connection, request)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Desk:
    """A home with a gateway, and the runtime's end of its socket.

    `grants` says what tokens are good for; `happened` is what it told; without `takes` nothing of
    that is acknowledged.
    """

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path / "gated"
        self.home.mkdir(mode=0o700)
        self.sockets = tmp_path / "s"
        self.sockets.mkdir(mode=0o700)
        self.directory = self.home / "terminals" / "demo" / "a" / "1" / "1"
        self.directory.mkdir(parents=True)
        self._host: int | None = None
        self.live()
        self.grants: dict[str, Grant] = {}
        self.why = "nobody knows it"
        self.asked: list[str] = []
        self.happened: list[Refused | Served] = []
        self.takes = True
        self._changed = threading.Condition()
        self._runtime: socket.socket | None = None
        self.place: Place
        self.process: subprocess.Popen[bytes]
        self.start()
        self.listen()

    def live(self) -> None:
        """Have a terminal's host live: it holds the lock of its directory."""
        self._host = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._host, fcntl.LOCK_EX)

    def die(self) -> None:
        """Have the host end."""
        if self._host is not None:
            os.close(self._host)
            self._host = None

    def start(self, port: int = 0) -> None:
        self.process, self.place = starting.start(self.home, self.sockets, SECRET, port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.place.port}"

    def open(self, base_url: str, token: str = TOKEN, **more: Any) -> Grant:
        """Make a token good for a provider."""
        grant = Grant("demo/a/1/", str(self.directory), "p at x", base_url, KEY, **more)
        self.grants[token] = grant
        return grant

    # ---- the runtime's end ------------------------------------------------------------------

    def listen(self, secret: str = SECRET) -> None:
        connection = self._runtime = starting.connect(self.place, secret)
        connection.settimeout(None)
        threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def hang_up(self) -> None:
        """The runtime is killed."""
        if self._runtime is not None:
            self._runtime.shutdown(socket.SHUT_RDWR)
            self._runtime.close()
            self._runtime = None

    def _hear(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            for line in file:
                match said.decode_from_process(line):
                    case Asked(token=token):
                        grant = self.grants.get(token)
                        with self._changed:
                            self.asked.append(token)
                        why = "" if grant is not None else self.why
                        connection.sendall(said.line(Granted(token, grant, why)))
                    case Refused() | Served() as one:
                        with self._changed:
                            self.happened.append(one)
                            self._changed.notify_all()
                        if self.takes:
                            connection.sendall(said.line(Taken(one.number)))

    def until_happened(self, count: int) -> list[Refused | Served]:
        """What it has told, once it is so much."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.happened) >= count, 30), self.happened
            return list(self.happened)

    # ---- an agent's end ---------------------------------------------------------------------

    def client(self, token: str = TOKEN, **headers: str) -> httpx.Client:
        named = {"x-api-key": token, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return httpx.Client(base_url=self.url, headers=named, trust_env=False, timeout=30)

    def post(self, path: str, body: bytes = b"{}", token: str = TOKEN) -> httpx.Response:
        with self.client(token) as client:
            return client.post(path, content=body)

    def used(self, fits: Callable[[Used], bool] = lambda used: used.requests > 0) -> Used:
        """What is counted, once it fits."""
        end = time.monotonic() + 30
        while True:
            found = said.read_used(self.directory)
            if found is not None and fits(found):
                return found
            assert time.monotonic() < end, found
            time.sleep(0.02)

    def close(self) -> None:
        self.hang_up()
        self.die()
        starting.end(self.home)
        self.process.wait(10)
