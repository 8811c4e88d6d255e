"""Start and end the runtime's process from outside.

This is separate from `actors.runtime.serve`, the runtime itself, so that a command need not load
it.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from actors.runtime import local
from bus import connection
from bus.client import Client, NoAnswer
from bus.connection import NoRuntime
from bus.requests import RuntimeStop
from bus.results import EndedRuntime

IDLE_EXIT = 900.0
"""A runtime that `up` or `demo` started ends by itself after so many seconds without a request and
without an unfinished workflow."""

_START_SECONDS = 30.0
_STOP_SECONDS = 60.0
RUN = Path(__file__).resolve().parents[3] / "run.py"


def ensure(home: Path) -> connection.Connection:
    """Return the connection to the runtime of this home; start one in the background if needed.

    Raise `NoRuntime` with the output of the process if it does not start in time.
    """
    try:
        return connection.read(home)
    except NoRuntime:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = home / "runtime.log"
    with log.open("ab") as errors:
        start = log.stat().st_size
        argv = [sys.executable, str(RUN), "serve", "--home", str(home)]
        process = subprocess.Popen(
            [*argv, "--idle-exit", str(IDLE_EXIT)],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            return connection.read(home)
        except NoRuntime:
            busy = process.poll() == 3 and connection.is_held(home)
            if process.poll() is not None and not busy:
                break
        # Another process may have started a runtime for this home (3: the home is busy). Only the
        # connection file says when that one serves.
        time.sleep(0.02)
    words = log.read_bytes()[start:].decode(errors="replace").strip()
    raise NoRuntime(home, words or "it did not start in time")


def down(home: Path, terminals: bool) -> EndedRuntime:
    """End the runtime, with `terminals` its terminals too, and wait until it is gone.

    If there is no runtime, end the terminals that are left, or raise `NoRuntime` without
    `terminals`. In the result, `ended` is False if something that was to end is still running.
    """
    try:
        served = connection.read(home)
    except NoRuntime:
        if not terminals:
            raise
        local.end_terminals(home)
        return _result(home, None, True, terminals)
    with Client(served.requests) as client:
        try:
            client.ask(RuntimeStop(terminals=terminals))
        except NoAnswer:
            with suppress(ProcessLookupError):
                os.kill(served.pid, signal.SIGTERM)
    gone = _wait_gone(served.pid, home)
    return _result(home, served.pid, gone, terminals)


def _wait_gone(pid: int, home: Path) -> bool:
    """Wait until the serving process has ended and its lock is free. Return False on timeout."""
    deadline = time.monotonic() + _STOP_SECONDS
    while connection.is_held(home) and connection.holder(home) == str(pid):
        if time.monotonic() >= deadline:
            return False
        local.wait_for_end({pid}, deadline)
    return True


def _result(home: Path, pid: int | None, gone: bool, terminals: bool) -> EndedRuntime:
    left = local.running_terminals(home)
    if not gone:
        message = f"runtime {pid} has not ended within {_STOP_SECONDS:g} s (kill -9 loses nothing)"
    else:
        message = f"runtime {pid} stopped" if pid else "no runtime was serving"
    if left:
        message += f"; {len(left)} terminals " + ("could not be ended" if terminals else "go on")
    else:
        message += "; no terminal is left"
    ended = gone and not (terminals and left)
    return EndedRuntime(pid=pid, terminals=left, ended=ended, message=message)
