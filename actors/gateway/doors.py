"""Keep the processes of the doors running: the web door and the TCP door.

Such a door is a client of the public sockets like any other, in a process of its own. This actor
starts it, and fails when it ends, so that its supervisor starts it again. The listening sockets
belong to the runtime and are handed down, so the addresses stay the same.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from actors.platform import owners
from actors.platform.loop import EventLoop
from actors.platform.processes import for_own_modules
from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from bus.doors import Place

_ROOT = Path(__file__).resolve().parents[2]
END_SECONDS = 3.0
"""How long the process may take to end its streams."""


class WebSettings(msgspec.Struct, frozen=True):
    """Where HTTP is served.

    `hosts` are the values of `Host` that name this server; `certificate` and `key` are the files of
    TLS, both or none.
    """

    listening: socket.socket
    hosts: tuple[str, ...]
    certificate: str = ""
    key: str = ""

    @property
    def url(self) -> str:
        """The address as a browser takes it."""
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{self.hosts[0]}"


class TcpSettings(msgspec.Struct, frozen=True):
    """Where requests and the feed are reached over TCP."""

    requests: socket.socket
    feed: socket.socket

    @property
    def endpoints(self) -> tuple[str, str]:
        """The endpoints of ZeroMQ, of requests and of the feed."""
        return _endpoint(self.requests), _endpoint(self.feed)


def _endpoint(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


class Doors(msgspec.Struct, frozen=True):
    """Which doors a runtime opens beside its own sockets, and what plans may name there.

    `repositories` are the repositories, or directories of such, that a plan may name which a
    browser or a key of the TCP door submits.
    """

    web: WebSettings | None = None
    tcp: TcpSettings | None = None
    repositories: tuple[Path, ...] = ()


class DoorProcess(msgspec.Struct, frozen=True):
    """How a door's process is started: its module, what it listens on, and its first line."""

    module: str
    listening: tuple[socket.socket, ...]
    place: Place


class Ended(msgspec.Struct, frozen=True):
    """The door's process `pid` has closed its end of the pipe."""

    pid: int


class DoorEnded(Exception):
    """The process ended by itself; it is started again."""


class DoorKeeper(CompanyActor):
    """Starts and ends the process. Handlers run in the actor's thread."""

    def __init__(self, stage: Stage, door: DoorProcess) -> None:
        super().__init__(stage)
        self._door = door
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: socket.socket | None = None

    def on_start(self) -> None:
        """Start the process, tell it where the runtime is, and listen for its end."""
        ours, theirs = socket.socketpair()
        descriptors = [each.fileno() for each in self._door.listening]
        words = [*map(str, descriptors), owners.owner_mark()]
        with theirs:
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", self._door.module, *words],
                stdin=theirs.fileno(),
                pass_fds=descriptors,
                env=for_own_modules(os.environ),
                cwd=_ROOT,
                start_new_session=True,
            )
        self._pipe = ours
        ours.sendall(msgspec.json.encode(self._door.place) + b"\n")
        where, ended = self.address, Ended(process.pid)
        loop, timers = self.stage.loop, self.stage.timers

        def closed() -> None:
            loop.unwatch(ours.fileno())
            timers.notify(where, ended)

        loop.post(lambda: loop.watch(ours, closed, None))

    @handles(Ended)
    def ended(self, message: Ended) -> None:
        """Fail, so that the supervisor starts the process again."""
        if self._process is not None and message.pid == self._process.pid:
            code = self._process.wait()
            raise DoorEnded(f"the process {self._door.module} ended with {code}")

    def on_stop(self) -> None:
        """End the process: it sees its pipe closed, ends its streams, and goes."""
        self._end()

    def on_failure(self, *_: object) -> None:
        """The process has ended, or is not to outlive this incarnation."""
        self._end()

    def _end(self) -> None:
        pipe, process = self._pipe, self._process
        self._pipe = self._process = None
        if pipe is not None:
            self.stage.loop.post(lambda: _close(self.stage.loop, pipe))
        if process is not None:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _close(loop: EventLoop, pipe: socket.socket) -> None:
    """Forget and close the pipe. In the loop's thread."""
    loop.unwatch(pipe.fileno())
    pipe.close()
