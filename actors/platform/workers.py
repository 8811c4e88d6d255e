"""Worker processes: what computes runs outside the runtime, so that no actor waits for
another's arithmetic (a busy Python thread adds up to 14 ms to every other one's answer).

A worker runs any top-level function with picklable arguments, one call at a time. It ends
with its parent, however that ends: the socket between them closes. A call has a limit: what
runs for longer (a pattern that backtracks without end, a git driver that hangs) is ended with
all it started, and the next call gets a new process.
"""

import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from actors.platform import owners, processes

P = ParamSpec("P")
T = TypeVar("T")


class WorkerDied(Exception):
    """The process ended in the middle of a call; the next call starts another."""


class WorkerLate(WorkerDied):
    """A call took longer than it may, and its process was ended."""


_NET = 5.0
"""Seconds after its limit at which a call's process ends by itself, where nobody is left to
end it: a runtime that was killed leaves none that computes for ever."""

GRACE = 1.0
"""Seconds between TERM and KILL of a late worker: git takes its lock files away."""


class Worker:
    """One process, started at its first call. Any thread may call; calls queue. A call may
    take `limit` seconds, not counting those it queues."""

    def __init__(self, name: str, limit: float) -> None:
        self._name = name
        self._limit = limit
        self._closed = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args, **kwargs)`, computed there. Raises what it raises, or
        `WorkerDied` (`WorkerLate` when it took too long)."""
        with self._lock:
            connection = self._connect()
            try:
                connection.send((function, args, kwargs))
                if not connection.poll(self._limit):
                    self._end(GRACE)
                    what = getattr(function, "__name__", "a call")
                    raise WorkerLate(f"{what} took longer than {self._limit:g} s and was ended")
                failed, answer = connection.recv()
            except (EOFError, OSError) as error:
                self._end()
                raise WorkerDied(f"the {self._name} worker ended: {error!r}") from error
        if failed:
            raise _rebuilt(*answer)
        result: T = answer
        return result

    def rest(self) -> None:
        """End the process, which computes nothing now; the next call starts another."""
        with self._lock:
            self._end()

    def close(self) -> None:
        """End the process and all it started; a call under way raises `WorkerDied`, as do all
        after it."""
        self._closed = True
        process = self._process
        if process is not None:
            processes.end_session(process.pid, 0.0)
        with self._lock:
            self._end()

    def _connect(self) -> Connection:
        if self._closed:
            raise WorkerDied(f"the {self._name} worker is closed")
        if self._connection is None:
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "actors.platform.workers"),
                        *(str(theirs.fileno()), str(self._limit + _NET), self._name),
                        owners.owner_mark(),
                    ],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    cwd=Path(__file__).resolve().parents[2],
                    start_new_session=True,  # a Ctrl-C at the terminal is for the runtime alone
                )
            self._connection = Connection(ours.detach())
        return self._connection

    def _end(self, grace: float = 0.0) -> None:
        if self._connection is not None and self._process is not None:
            processes.end_session(self._process.pid, grace)
            self._connection.close()
            self._process.wait()
        self._connection = self._process = None


def _serve(connection: Connection, limit: float) -> None:
    """The worker's side: answer calls until the parent is gone. The alarm is not handled but
    ends the process, for a pattern that backtracks lets no Python run."""
    while True:
        try:
            function, args, kwargs = connection.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            answer = (False, function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is raised again in the caller
            answer = (True, _sendable(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send(answer)


Parts = tuple[type[Exception], tuple[Any, ...], dict[str, Any]]


def _sendable(error: Exception) -> Parts:
    """What an error is made of: its class, what it shows, and its fields; where those cannot
    travel, its words. Pickle itself would call a class's own `__init__` with `args`, which
    are not its arguments."""
    parts = (type(error), error.args, vars(error))
    try:
        pickle.loads(pickle.dumps(parts))
    except Exception:  # noqa: BLE001 - any class may fail in any way
        return RuntimeError, (f"{type(error).__name__}: {error}",), {}
    return parts


def _rebuilt(kind: type[Exception], args: tuple[Any, ...], fields: dict[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


if __name__ == "__main__":
    owners.work_for_owner_of(sys.argv[4])
    _serve(Connection(int(sys.argv[1])), float(sys.argv[2]))
