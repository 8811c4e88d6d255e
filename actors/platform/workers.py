"""Worker processes, which compute outside the runtime's process.

A busy Python thread adds up to 14 ms to every answer of the other threads. Computations therefore
run in worker processes. A worker calls any top-level function with picklable arguments, one call at
a time. It ends when its parent ends, because the socket between them closes. Each call has a time
limit, by the clock and, where it only computes, of its processor time: on a busy machine a short
computation may take minutes. A call that exceeds one (a pattern that backtracks without end, a
merge driver that hangs) is ended with all processes it started, and the next call starts a new one.
"""

import os
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
from bus.secrecy import hide_memory

P = ParamSpec("P")
T = TypeVar("T")


class WorkerDied(Exception):
    """The process ended during a call. The next call starts another one."""


class WorkerLate(WorkerDied):
    """A call exceeded a limit, and its process was ended.

    `computed` says that it was the limit of its processor time, which no busy machine can reach.
    """

    def __init__(self, said: str, *, computed: bool = False) -> None:
        super().__init__(said)
        self.computed = computed


_NET = 5.0
"""Seconds of processor time after its limit at which the process of a call ends by itself.

The runtime that would end it may have been killed.
"""

_STILL = 1800.0
"""The same by the clock, for a call that computes nothing. A machine may stand still so long."""

_SLICES = 20
"""In how many parts a limit by the clock is waited for.

A machine that stands still for minutes (a laptop that is shut) takes one of them and not all.
"""

GRACE = 1.0
"""Seconds between SIGTERM, after which git removes its lock files, and SIGKILL."""


class Worker:
    """One process, which the first call starts. Any thread may call; calls wait for each other.

    A call may take `limit` seconds, not counting the time it waits for others, and compute for
    `compute` seconds, not counting the processes it starts (None: no such limit). `name` is for
    errors and process listings.
    """

    def __init__(self, name: str, limit: float, compute: float | None = None) -> None:
        self._name = name
        self._limit = limit
        self._compute = compute
        self._closed = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute `function(*args, **kwargs)` in the process, and return the result.

        Raise what the function raises, `WorkerLate` if it took too long, or `WorkerDied`.
        """
        what = getattr(function, "__name__", "a call")
        late = f"{what} took longer than {self._limit:g} s and was ended"
        with self._lock:
            connection = self._connect()
            try:
                compute = self._compute or self._limit + _NET
                connection.send((function, args, kwargs, self._limit + _STILL, compute))
                if not _answers(connection, self._limit):
                    self._end(GRACE)
                    raise WorkerLate(late)
                failed, answer = connection.recv()
            except (EOFError, OSError) as error:
                code = self._end()
                if code == -signal.SIGPROF:
                    said = f"{what} computed for longer than {compute:g} s and was ended"
                    raise WorkerLate(said, computed=True) from error
                if code == -signal.SIGALRM:
                    raise WorkerLate(late) from error
                raise WorkerDied(f"the {self._name} worker ended: {error!r}") from error
        if failed:
            raise _rebuilt(*answer)
        result: T = answer
        return result

    def rest(self) -> None:
        """End the process after the current call. The next call starts another one."""
        with self._lock:
            self._end()

    def close(self) -> None:
        """End the process and all it started. Running and later calls raise `WorkerDied`."""
        self._closed = True
        process = self._process
        if process is not None:
            processes.end_session(process.pid, 0.0)
        with self._lock:
            if self._process is process:
                self._forget()
            else:
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
                        *(str(theirs.fileno()), self._name, owners.owner_mark()),
                    ],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=processes.for_own_modules(os.environ),
                    cwd=Path(__file__).resolve().parents[2],
                    start_new_session=True,  # Ctrl-C in the terminal is for the runtime only
                )
            self._connection = Connection(ours.detach())
        return self._connection

    def _end(self, grace: float = 0.0) -> int | None:
        """End the process and all it started. Return how it ended, None if there is none."""
        if self._process is not None:
            processes.end_session(self._process.pid, grace)
        return self._forget()

    def _forget(self) -> int | None:
        """Reap the process, which has ended or ends when its connection closes."""
        if self._connection is not None:
            self._connection.close()
        code = None if self._process is None else self._process.wait()
        self._connection = self._process = None
        return code


def _answers(connection: Connection, limit: float) -> bool:
    """Wait for an answer; return False if there is none after `limit` seconds."""
    return any(connection.poll(limit / _SLICES) for _ in range(_SLICES))


def _serve(connection: Connection) -> None:
    """Answer calls until the parent has ended. Runs in the worker process.

    SIGALRM and SIGPROF have no handlers and end the process, because a pattern that backtracks runs
    no Python code that could handle them.
    """
    while True:
        try:
            function, args, kwargs, limit, compute = connection.recv()
        except (EOFError, ConnectionError):
            return
        signal.setitimer(signal.ITIMER_REAL, limit)
        signal.setitimer(signal.ITIMER_PROF, compute)
        try:
            answer = (False, function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the caller raises it again
            answer = (True, _sendable(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        try:
            connection.send(answer)
        except ConnectionError:
            return


Parts = tuple[type[Exception], tuple[Any, ...], dict[str, Any]]


def _sendable(error: Exception) -> Parts:
    """Return the parts of an error: its class, `args` and fields.

    Return a RuntimeError with its text if the parts cannot be pickled. Pickling the error itself
    would fail on loading, because it calls `__init__` with `args`, which need not be its arguments.
    """
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
    hide_memory()
    owners.work_for_owner_of(sys.argv[3])
    _serve(Connection(int(sys.argv[1])))
