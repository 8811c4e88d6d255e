"""Serving: the runtime as a process of its own, in the foreground or in the background."""

import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from zmq import ZMQError

from actors.behaviours.errors import SupervisorError
from actors.ending import end_all_terminals, running_hosts
from actors.exits import at_home
from actors.runtime import HomeBusy, Runtime
from actors.terminals.processes import wait_for_end
from bus import connection
from bus.client import Client, NoAnswer
from bus.connection import NoRuntime
from store.errors import StoreError

IDLE_EXIT = 900.0
"""Seconds after which a runtime that `up` or `demo` started ends by itself when no workflow
is unfinished and nobody asks anything."""

OPEN_FILES = 8192
"""What the runtime asks for: a terminal needs one, a repository's watch one, a client three;
the usual 1024 end at some 900 terminals. No more than this, for every program inherits it."""

_START_SECONDS = 30.0
_STOP_SECONDS = 60.0
_LAST_WORD = 10.0
_RUN = Path(__file__).resolve().parents[1] / "run.py"


def serve(home: Path, idle_exit: float) -> int:
    """Run until a signal or a request ends it; returns the exit code. In the main thread."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    _raise_open_files()
    try:
        runtime = Runtime(home)
    except HomeBusy as busy:
        return _say(f"error: {busy}\nhelp: python run.py ps{at_home(home)}", 3)
    except (StoreError, OSError) as error:
        return _say(f"error: {error}", 3)
    signals = _Signals(runtime)
    try:
        runtime.start()
    except (StoreError, OSError, ZMQError) as error:
        _say(f"error: {home} cannot be served: {error}\nhelp: {_doctor(home)}", 3)
        _flush()
        os._exit(3)
    except SupervisorError as error:
        runtime.ended.wait(_LAST_WORD)  # a root that gives up says why when all below it has ended
        runtime.failure = runtime.failure or str(error)
        return _end(runtime, home)
    print(f"callboard serves {home} (pid {os.getpid()}); Ctrl-C ends it", flush=True)
    if idle_exit:
        threading.Thread(target=_watch_idle, args=(runtime, idle_exit), daemon=True).start()
    runtime.ended.wait()
    signals.ending = True
    return _end(runtime, home)


def _doctor(home: Path) -> str:
    return f"python run.py doctor{at_home(home)}"


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _end(runtime: Runtime, home: Path) -> int:
    if runtime.failure:
        print(f"error: the runtime of {home} gives up: {runtime.failure}", file=sys.stderr)
        again = f"python run.py serve{at_home(home)}"
        print(f"help: terminals go on; {again}; then {_doctor(home)}", file=sys.stderr)
        _flush()
        os._exit(1)
    runtime.stop()
    left = running_hosts(home)
    with suppress(OSError):  # the terminal window it was started in may be closed
        if left:
            print(f"stopped; {len(left)} terminals go on: python run.py serve{at_home(home)}")
            print(f"to end them too: python run.py down --terminals{at_home(home)}")
        else:
            print("stopped; no terminal is left running")
        _flush()
    os._exit(0)


class _Signals:
    """The first Ctrl-C or SIGTERM ends cleanly, a second one at once. SIGHUP, of a window that
    is closed, ends cleanly too, however often it comes; unless it was ignored (`nohup`).

    A thread of its own reads them from Python's wakeup pipe. A Python handler would run in
    the main thread alone, and the kernel may hand a signal to any thread (it does after
    SIGSTOP and SIGCONT), which does not wake the main one.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.ending = False
        self._runtime = runtime
        self._pipe, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signo != signal.SIGHUP or signal.getsignal(signo) != signal.SIG_IGN:
                signal.signal(signo, lambda *_: None)
        threading.Thread(target=self._read, name="signals", daemon=True).start()

    def _read(self) -> None:
        while True:
            self._caught(os.read(self._pipe, 1)[0])

    def _caught(self, signo: int) -> None:
        if self.ending or self._runtime.ended.is_set():
            if signo == signal.SIGHUP:
                return
            os._exit(128 + signo)
        self.ending = True
        self._runtime.request_stop(signal.Signals(signo).name)


def _watch_idle(runtime: Runtime, seconds: float) -> None:
    """End a runtime nobody needs: nothing unfinished, and no request for so long."""
    while not runtime.ended.wait(seconds / 4):
        if runtime.idle_for() >= seconds:
            runtime.request_stop("idle")


def ensure(home: Path) -> connection.Connection:
    """The runtime that serves this home; one is started in the background if none does.

    Raises `NoRuntime` with its last words when it does not come up.
    """
    try:
        return connection.read(home)
    except NoRuntime:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = home / "runtime.log"
    with log.open("ab") as errors:
        start = log.stat().st_size
        argv = [sys.executable, str(_RUN), "serve", "--home", str(home)]
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
            if process.poll() is not None and process.returncode != 3:
                break
        # The runtime that comes up may be another's (3: the home is busy just now), of which
        # nothing but this file tells.
        time.sleep(0.02)
    words = log.read_bytes()[start:].decode(errors="replace").strip()
    raise NoRuntime(home, words or "it did not start in time")


def down(home: Path, terminals: bool) -> dict[str, Any]:
    """End the runtime (and its terminals) and wait until it is gone. Without a runtime,
    `terminals` still ends what is left running; else `NoRuntime`. `ended` is False where
    something of what was to end is still there."""
    try:
        served = connection.read(home)
    except NoRuntime:
        if not terminals:
            raise
        end_all_terminals(home)
        return _result(home, None, True, terminals)
    with Client(served.requests) as client:
        try:
            client.call("runtime.stop", terminals=terminals)
        except NoAnswer:
            with suppress(ProcessLookupError):
                os.kill(served.pid, signal.SIGTERM)
    gone = _wait_gone(served.pid, home)
    return _result(home, served.pid, gone, terminals)


def _wait_gone(pid: int, home: Path) -> bool:
    """Until the process that serves has ended; with it goes its lock. False: it has not."""
    deadline = time.monotonic() + _STOP_SECONDS
    while connection.is_held(home) and connection.holder(home) == str(pid):
        if time.monotonic() >= deadline:
            return False
        wait_for_end({pid}, deadline)
    return True


def _result(home: Path, pid: int | None, gone: bool, terminals: bool) -> dict[str, Any]:
    left = [str(found.directory) for found in running_hosts(home)]
    if not gone:
        message = f"runtime {pid} has not ended within {_STOP_SECONDS:g} s (kill -9 loses nothing)"
    else:
        message = f"runtime {pid} stopped" if pid else "no runtime was serving"
    if left:
        message += f"; {len(left)} terminals " + ("could not be ended" if terminals else "go on")
    else:
        message += "; no terminal is left"
    ended = gone and not (terminals and left)
    return {"pid": pid, "terminals": left, "ended": ended, "message": message}


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
