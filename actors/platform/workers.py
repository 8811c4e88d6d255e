"""Worker processes, which compute outside the runtime's process.

A busy Python thread adds up to 14 ms to every answer of the other threads. Computations therefore
run in worker processes. A worker calls any top-level function with picklable arguments, one call at
a time. It ends when its parent ends, because the socket between them closes. Each call has a time
limit. A call that exceeds it (a pattern that backtracks without end, a merge driver that hangs) is
ended with all processes it started, and the next call starts a new process.
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
    """A call exceeded its time limit, and its process was ended."""


_NET = 5.0
"""Seconds after its limit at which the process of a call ends by itself.

The runtime that would end it may have been killed.
"""

GRACE = 1.0
"""Seconds between SIGTERM, after which git removes its lock files, and SIGKILL."""


class Worker:
    """One process, which the first call starts. Any thread may call; calls wait for each other.

    A call may take `limit` seconds, not counting the time it waits for others. `name` is for errors
    and process listings.
    """

    def __init__(self, name: str, limit: float) -> None:
        self._name = name
        self._limit = limit
        self._closed = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute `function(*args, **kwargs)` in the process, and return the result.

        Raise what the function raises, `WorkerLate` if it took too long, or `WorkerDied`.
        """
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
                        *(str(theirs.fileno()), str(self._limit + _NET), self._name),
                        owners.owner_mark(),
                    ],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=processes.for_own_modules(os.environ),
                    cwd=Path(__file__).resolve().parents[2],
                    start_new_session=True,  # Ctrl-C in the terminal is for the runtime only
                )
            self._connection = Connection(ours.detach())
        return self._connection

    def _end(self, grace: float = 0.0) -> None:
        if self._process is not None:
            processes.end_session(self._process.pid, grace)
        self._forget()

    def _forget(self) -> None:
        """Reap the process, which has ended or ends when its connection closes."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.wait()
        self._connection = self._process = None


def _serve(connection: Connection, limit: float) -> None:
    """Answer calls until the parent has ended. Runs in the worker process.

    SIGALRM has no handler and ends the process, because a pattern that backtracks runs no Python
    code that could handle it.
    """
    while True:
        try:
            function, args, kwargs = connection.recv()
        except (EOFError, ConnectionError):
            return
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            answer = (False, function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the caller raises it again
            answer = (True, _sendable(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
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
    owners.work_for_owner_of(sys.argv[4])
    _serve(Connection(int(sys.argv[1])), float(sys.argv[2]))
