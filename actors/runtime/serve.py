"""Serve a home: run the runtime as a process of its own (`command_line/daemon.py` starts one)."""

import logging
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from zmq import ZMQError

from actors.command_line.exits import at_home
from actors.gateway.web import WebSettings
from actors.pty.ending import running_hosts
from actors.runtime.runtime import HomeBusy, Runtime
from actors.supervision.errors import SupervisorError
from store.errors import StoreError

OPEN_FILES = 8192
"""What the runtime asks for: a terminal needs one, a repository's watch one, a client three;
the usual 1024 end at some 900 terminals. No more than this, for every program inherits it."""

_LAST_WORD = 10.0


def serve(home: Path, idle_exit: float, web: WebSettings | None = None) -> int:
    """Run until a signal or a request ends it, and return the exit code. `web` says where HTTP is
    served. Runs in the main thread."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    _raise_open_files()
    try:
        runtime = Runtime(home, web)
    except HomeBusy as busy:
        return _say(f"error: {busy}\nhelp: python run.py ps{at_home(home)}", 3)
    except (StoreError, OSError) as error:
        return _say(f"error: {error}", 3)
    signals = _Signals(runtime)
    try:
        runtime.start()
    except (StoreError, OSError, ZMQError) as error:
        runtime.give_up()
        _say(f"error: {home} cannot be served: {error}\nhelp: {_doctor(home)}", 3)
        _flush()
        os._exit(3)
    except SupervisorError as error:
        runtime.ended.wait(_LAST_WORD)  # a root that gives up says why when all below it has ended
        runtime.failure = runtime.failure or str(error)
        return _end(runtime, home)
    print(f"callboard serves {home} (pid {os.getpid()}); Ctrl-C ends it", flush=True)
    if web is not None:
        print(f"HTTP: {web.url} (the token is in {home / 'connection.json'})", flush=True)
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
        runtime.give_up()
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


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
