"""A session: one incarnation of a program under its host, for use by an actor.

It starts the host or connects to a running one, and passes on what the host sends as `HostSaid`.
The event loop's thread uses the link to the host; the actor's thread calls the methods.
"""

import errno
import functools
import itertools
import logging
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

import msgspec

from actors.platform import descriptors, scopes
from actors.platform.files import read_bounded
from actors.platform.loop import EventLoop
from actors.pty import recall, records, strays
from actors.pty.events import Closed, Event
from actors.pty.link import Link
from actors.pty.spawn import Refusal, await_ready, spawn

log = logging.getLogger("callboard.terminal")

HOST_START = 20.0
"""Seconds that a host may take to listen."""
END_SECONDS = 10.0
"""Seconds a host may take to end its program (TERM, 5 s, KILL) and itself."""
WORDS = 500
"""Bytes of a host's standard error that an error quotes."""
MOST_WORDS = 1 << 24
"""Bytes of it that are read at most."""


@functools.cache
def _log_once(words: str) -> None:
    log.info(words)


class Broke(msgspec.Struct, frozen=True):
    """An error in the loop's thread. The actor raises it, so that its supervisor sees it.

    The loop would only log it, and the actor would wait for ever (hazard 20).
    """

    error: Exception


class HostSaid(msgspec.Struct, frozen=True):
    """An event of the host of this incarnation."""

    incarnation: int
    event: Event | Broke


class Found(Enum):
    """The state of a host, as its files show it."""

    NEVER = "never"
    """No host was started here."""
    ALIVE = "alive"
    """A host runs: it holds the lock."""
    ENDED = "ended"
    """The program has ended; exit.json says how."""
    LOST = "lost"
    """A host was started here and died without writing exit.json."""
    FOREIGN = "foreign"
    """The files are not those of the host that this session names: their token is another."""
    UNKNOWN = "unknown"
    """The files cannot be read. That is no proof that the host died (hazard 37)."""


class Session:
    """One host and the link to it.

    `notify` is called in the loop's thread and must not block.
    """

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
        self.identity: records.Identity | None = None
        """The host and its program as `look` found them; None before, or if they are not known."""
        self._link: Link | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connected(self) -> bool:
        """Whether a link is open."""
        return self._link is not None

    def look(self) -> Found:
        """Read the state of the host from its files.

        A record counts only if it has the token of this session: it is believed for that, not
        for where it lies.
        """
        try:
            alive = records.host_lives(self.directory)
            ended = records.read_exit(self.directory)
            identity = records.read_identity(self.directory)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Found.FOREIGN
        except OSError as error:
            known = (errno.EINVAL, errno.EFBIG, errno.ELOOP)
            return Found.FOREIGN if error.errno in known else Found.UNKNOWN
        if ended is not None and ended.token == self._token:
            return Found.ENDED
        if alive is None:
            return Found.UNKNOWN
        ours = identity is not None and identity.token == self._token
        self.identity = identity if ours else None
        if alive and (ours or identity is None):
            return Found.ALIVE
        if ours:
            return Found.LOST
        if identity is not None or ended is not None:
            return Found.FOREIGN
        return Found.LOST if records.was_hosted(self.directory) else Found.NEVER

    def set_aside(self) -> None:
        """Rename the directory, which is not this session's, so that a host starts in a new one.

        Nothing in it is read. Raise `OSError`.
        """
        for number in itertools.count(1):
            aside = self.directory.with_name(f"{self.directory.name}.foreign-{number}")
            if not os.path.lexists(aside):
                self.directory.rename(aside)
                log.warning("%s is not ours: it is now %s", self.directory, aside)
                return

    def exit(self) -> records.Exit:
        """Return how the program ended. Raise `LookupError` unless `look` returned ENDED."""
        ended = records.read_exit(self.directory)
        if ended is None or ended.token != self._token:
            raise LookupError(f"{self.directory} has no exit.json")
        return ended

    def start(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, rows: int, columns: int
    ) -> None:
        """Start the host and connect to it. Blocks until the host listens.

        A second call starts no second host. If the session is not connected afterwards the program
        has ended already, and `exit` says how. Raise `OSError`: `TimeoutError`, or
        `ChildProcessError` with a `Refusal` as errno; the host has ended then, with its program.
        """
        descriptors.require_room()
        self.identity = None  # what was read before is of a host that is gone
        process = spawn(
            self.directory,
            socket=self._socket,
            token=self._token,
            incarnation=self.incarnation,
            argv=argv,
            env=env,
            cwd=cwd,
            rows=rows,
            columns=columns,
            scope=self._scope(),
        )
        try:
            self._come_up(process)
        except BaseException as error:
            self._end_failed(process)
            words = self._last_words()
            if words and isinstance(error, ChildProcessError):
                raise ChildProcessError(error.errno, f"{error.strerror}: {words}") from error
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()  # a terminal costs one descriptor, that of its link
        self._process = process
        if words := self._last_words():
            log.warning("%s: %s", self.directory, words)

    def _scope(self) -> str:
        """Return the option of the program's scope, "" where it gets none; log why, once."""
        place, why = scopes.find()
        if place is None:
            _log_once(f"programs run in no scope of systemd: {why}")
            return ""
        mark, now = records.mark_of(self._token)[:8], f"{time.monotonic_ns():x}"
        return place.option("-".join([*self.directory.parts[-4:], mark, now]))

    def _come_up(self, process: "subprocess.Popen[bytes]") -> None:
        try:
            await_ready(process, HOST_START)
        except ChildProcessError as error:
            if error.errno not in (Refusal.ANOTHER_RUNS, Refusal.HAS_ENDED):
                raise
        try:
            self.connect()
        except OSError:
            if self.look() is not Found.ENDED:
                raise

    def _end_failed(self, process: "subprocess.Popen[bytes]") -> None:
        """End a host that no session will own: TERM, at which it ends its program, then KILL."""
        self.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.end_strays(0.0)

    def _last_words(self) -> str:
        """What the host wrote to its standard error; at most a line or two."""
        try:
            words = read_bounded(self.directory / "host.err", MOST_WORDS)[-WORDS:]
        except OSError:
            return ""
        return " ".join(words.decode("utf-8", "replace").split()).removeprefix("host: ")

    def connect(self) -> None:
        """Open the link.

        Raise `OSError` if no host listens; one that lives is asked to listen again.
        """
        try:
            link = Link(self.identity.socket if self.identity else self.where, self._token)
        except (FileNotFoundError, ConnectionRefusedError):
            recall.recall(self.directory, self._socket)
            raise
        self._link = link
        self._loop.post(lambda: self._carefully(link, self._watch))

    @property
    def where(self) -> str:
        """The path of the socket that the host has recorded."""
        try:
            identity = records.read_identity(self.directory)
        except (OSError, msgspec.DecodeError):
            identity = None
        return identity.socket if identity is not None else str(self._socket)

    def do(self, action: Callable[[Link], None]) -> None:
        """Run `action` with the link, in the loop's thread. Do nothing without a link."""
        link = self._link
        if link is not None:
            self._loop.post(lambda: self._carefully(link, lambda link: self._act(link, action)))

    def end(self, grace_ms: int) -> None:
        """Have the host end its program: SIGTERM, then SIGKILL after `grace_ms`."""
        recall.wake(self.directory)
        self.do(lambda link: link.end(grace_ms))

    def end_strays(self, grace: float) -> int:
        """End the processes that a dead host left. Return how many could not be ended.

        Blocks for up to `grace` + 3 s.
        """
        identity = records.read_identity(self.directory)
        sid = identity.program_pid if identity is not None else 0
        left = strays.end_tree(self._token, sid, grace)
        if identity is not None:
            recall.remove_socket(identity)
        return left

    def close(self) -> None:
        """Close the link; the host goes on. Reap the host if it is our child and has ended."""
        link, self._link = self._link, None
        if link is not None:
            self._loop.post(lambda: self._forget(link))
        if self._process is not None:
            self._process.poll()  # one that ends later is reaped with the next that is started
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
