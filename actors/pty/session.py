"""A session: one incarnation of a program under its host, as an actor sees it.

Starts the host or finds it again, and puts what it says into the actor's mailbox as
`HostSaid`. The link to the host lives in the event loop's thread; the methods here may be
called from the actor's thread.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

import msgspec

from actors.platform import processes
from actors.platform.loop import EventLoop
from actors.pty.link import Closed, Event, Link, Refusal, await_ready, spawn

HOST_START = 20.0
"""Seconds a host may take to listen."""


class Broke(msgspec.Struct, frozen=True):
    """What failed in the loop's thread. Whoever is given it raises `error`, so that its supervisor
    sees it (hazard 20): the loop would only log it, and the actor wait for ever."""

    error: Exception


class HostSaid(msgspec.Struct, frozen=True):
    """An event of the host of this incarnation. Put into a mailbox of the same process."""

    incarnation: int
    event: Event | Broke


class Found(Enum):
    """What is known of an incarnation that was started before."""

    NEVER = "never"
    """No host ran here."""
    ALIVE = "alive"
    """A host holds the lock."""
    ENDED = "ended"
    """exit.json says how."""
    LOST = "lost"
    """A host ran here and died without a record."""
    UNKNOWN = "unknown"
    """The probe failed; that is no proof of death (hazard 37)."""


class Session:
    """One host and the link to it."""

    def __init__(
        self,
        loop: EventLoop,
        notify: Callable[[HostSaid], None],
        *,
        directory: Path,
        socket: Path,
        token: str,
        incarnation: int,
    ) -> None:
        self.directory = directory
        self.incarnation = incarnation
        self._loop = loop
        self._notify = notify
        self._socket = socket
        self._token = token
        self._link: Link | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connected(self) -> bool:
        return self._link is not None

    def look(self) -> Found:
        """What the files say. Reads only."""
        try:
            alive = processes.host_lives(self.directory)
            ended = processes.read_exit(self.directory)
            identity = processes.read_identity(self.directory)
        except (OSError, msgspec.DecodeError):
            return Found.UNKNOWN
        if ended is not None:
            return Found.ENDED
        if alive is None:
            return Found.UNKNOWN
        if alive:
            return Found.ALIVE
        return Found.NEVER if identity is None else Found.LOST

    def exit(self) -> processes.Exit:
        """How it ended, where `look` says ENDED."""
        ended = processes.read_exit(self.directory)
        if ended is None:
            raise LookupError(f"{self.directory} has no exit.json")
        return ended

    def start(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, rows: int, columns: int
    ) -> None:
        """Start the host and connect. Safe to repeat: one host starts, once. Not connected
        afterwards: a short program has ended already, and `exit` says how.

        Raises `OSError` (`ChildProcessError` with a `Refusal` as errno, `TimeoutError`).
        """
        self._process = spawn(
            self.directory,
            socket=self._socket,
            token=self._token,
            incarnation=self.incarnation,
            argv=argv,
            env=env,
            cwd=cwd,
            rows=rows,
            columns=columns,
        )
        try:
            await_ready(self._process, HOST_START)
        except ChildProcessError as error:
            if error.errno not in (Refusal.ANOTHER_RUNS, Refusal.HAS_ENDED):
                raise
        try:
            self.connect()
        except OSError:
            if self.look() is not Found.ENDED:
                raise

    def connect(self) -> None:
        """Open the link. Raises `OSError` where nobody listens."""
        link = Link(self._socket, self._token)
        self._link = link
        self._loop.post(lambda: self._carefully(link, self._watch))

    def do(self, action: Callable[[Link], None]) -> None:
        """Say something to the host, in the loop's thread. Without a link: nothing."""
        link = self._link
        if link is not None:
            self._loop.post(lambda: self._carefully(link, lambda link: self._act(link, action)))

    def end_strays(self, grace: float) -> int:
        """End what a dead host left behind. Blocks up to `grace` + 3 s; returns how many are
        left."""
        identity = processes.read_identity(self.directory)
        sid = identity.program_pid if identity is not None else 0
        return processes.end_tree(self._token, sid, grace)

    def close(self) -> None:
        """Let go of the host, which lives on; reap it if it is ours and has ended."""
        link, self._link = self._link, None
        if link is not None:
            self._loop.post(lambda: self._forget(link))
        if self._process is not None:
            self._process.poll()  # one that ends later is reaped with the next that is started
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    # ---- in the loop's thread ------------------------------------------------------------

    def _carefully(self, link: Link, action: Callable[[Link], None]) -> None:
        try:
            action(link)
        except Exception as error:  # noqa: BLE001 - the actor's, which raises it
            self._forget(link)
            self._notify(HostSaid(self.incarnation, Broke(error)))

    def _watch(self, link: Link) -> None:
        if not link.closed:
            write = (lambda: self._carefully(link, self._write)) if link.wants_write else None
            self._loop.watch(link, lambda: self._carefully(link, self._read), write)

    def _read(self, link: Link) -> None:
        fd = link.fileno()
        for event in link.on_readable():
            if isinstance(event, Closed):
                self._loop.unwatch(fd)
            self._notify(HostSaid(self.incarnation, event))

    def _write(self, link: Link) -> None:
        link.on_writable()
        self._watch(link)

    def _act(self, link: Link, action: Callable[[Link], None]) -> None:
        if not link.closed:
            action(link)
            self._watch(link)

    def _forget(self, link: Link) -> None:
        if not link.closed:
            self._loop.unwatch(link.fileno())
            link.close()
