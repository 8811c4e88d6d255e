"""Drive a real program in a real terminal against the fake model, cut off from every network.

`Island` is the fake model server in a network namespace that has only `lo` (where the machine
allows one), `Driven` a program in a PTY inside it. Both wait for events, never for a time.
"""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from actors.clis.keys import Write
from actors.clis.screen import COLS, ROWS, Screen, ScreenReader

FAKE_MODEL = Path(__file__).with_name("fake_model.py")
QUIET = 0.4  # seconds without output after which a screen counts as drawn
_QUESTIONS = re.compile(rb"\x1b\[6n|\x1b\[\??5n|\x1b\[(>|=)?0?c|\x1b\[>0?q|\x1b\]1([01]);\?")


def _enter(pid: int) -> tuple[list[str], list[str]] | None:
    """How to make a namespace with only `lo`, and how to enter that of `pid`; None without."""
    for flags, enter in ((["-n"], ["-n"]), (["-r", "-n"], ["-U", "-n", "--preserve-credentials"])):
        with contextlib.suppress(OSError):
            made = subprocess.run(
                ["unshare", *flags, "ip", "link", "set", "lo", "up"], capture_output=True
            )
            if made.returncode == 0 and shutil.which("nsenter"):
                return ["unshare", *flags], ["nsenter", "-t", str(pid), *enter]
    return None


class Island:
    """The fake model server in a process, and a network namespace, of its own."""

    def __init__(self, command: str, delay: float = 0.0, fail: str = "") -> None:
        server = [sys.executable, str(FAKE_MODEL), "--command", command, "--delay", str(delay)]
        server += ["--fail", fail]
        namespace = _enter(0)
        self.isolated = namespace is not None
        if namespace:
            server = [*namespace[0], "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *server]
        self._process = subprocess.Popen(server, stdout=subprocess.PIPE, text=True)
        entered = _enter(self._process.pid)
        self.prefix: list[str] = entered[1] if entered else []
        assert self._process.stdout
        self.url: str = json.loads(self._process.stdout.readline())["url"]
        self.requests: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._changed:
                self.requests.append(json.loads(line))
                self._changed.notify_all()

    def wait_for(
        self, fits: Callable[[dict[str, Any]], bool], seconds: float = 60
    ) -> dict[str, Any]:
        """The first request that fits, waiting for it."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(map(fits, self.requests)), seconds):
                raise TimeoutError(f"no such request among {self.requests}")
            return next(filter(fits, self.requests))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class Driven:
    """A program in a 40x120 PTY; a thread reads it, answers its questions and keeps the screen."""

    def __init__(
        self, argv: list[str], env: dict[str, str], cwd: Path, prefix: list[str] | None = None
    ) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            with contextlib.suppress(OSError):
                os.chdir(cwd)
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
                os.execvpe((prefix or argv)[0], [*(prefix or []), *argv], env)
            os._exit(127)
        self.raw = bytearray()
        self.history: list[Screen] = []
        self._reader = ScreenReader()
        self._changed = threading.Condition()
        self._last = time.monotonic()
        self.ended = False
        self.code: int | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                data = b""
            with self._changed:
                self._last = time.monotonic()
                self.ended = not data
                self.raw += data
                self._reader.feed(data)
                screen = self._reader.screen
                if not self.history or screen != self.history[-1]:
                    self.history.append(screen)
                self._changed.notify_all()
            if not data:
                return
            for question in _QUESTIONS.finditer(data):
                self._answer(question)

    def _answer(self, question: re.Match[bytes]) -> None:
        asked = question[0]
        row, col = self.screen.cursor
        answer = b"\x1b[?62;22c"
        if asked.endswith(b"6n"):
            answer = b"\x1b[%d;%dR" % (row + 1, col + 1)
        elif asked.endswith(b"5n"):
            answer = b"\x1b[0n"
        elif asked.startswith(b"\x1b[>") and asked.endswith(b"c"):
            answer = b"\x1b[>0;276;0c"
        elif asked.endswith(b"q"):
            answer = b"\x1bP>|xterm(380)\x1b\\"
        elif asked.startswith(b"\x1b]1"):
            answer = b"\x1b]1" + question[2] + b";rgb:0000/0000/0000\x1b\\"
        with contextlib.suppress(OSError):
            os.write(self._fd, answer)

    @property
    def screen(self) -> Screen:
        return self._reader.screen

    def wait(
        self, fits: Callable[[Screen], bool], seconds: float = 60, quiet: float = QUIET
    ) -> Screen:
        """The first screen that fits and has been quiet. Raises `TimeoutError` with the screen."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                screen, still = self._reader.screen, time.monotonic() - self._last
                if fits(screen) and (still >= quiet or self.ended):
                    return screen
                if time.monotonic() > end or self.ended:
                    raise TimeoutError(f"the screen stayed (ended={self.ended}):\n{screen.text}")
                self._changed.wait(max(0.02, quiet - still) if fits(screen) else 1)

    def write(self, writes: list[Write]) -> None:
        """Write each, waiting as long as it says."""
        for data, pause in writes:
            view = memoryview(data)
            while view:
                select.select([], [self._fd], [])
                view = view[os.write(self._fd, view[:1024]) :]
            time.sleep(pause / 1000)

    def wait_end(self, seconds: float = 20) -> int:
        """The exit code (128 + signal where one ended it)."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.ended, seconds):
                raise TimeoutError(f"still running:\n{self.screen.text}")
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.code = code if code >= 0 else 128 - code
        return self.code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        os.close(self._fd)
