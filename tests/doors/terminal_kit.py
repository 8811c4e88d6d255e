"""The command line in a terminal: a real PTY, and what its screen shows."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from contextlib import suppress
from typing import Any

import pyte

from tests.doors.kit import PYTHON, ROOT, Home

PATIENCE = 60.0
"""Seconds of silence after which a test gives up; the view shows a clock, so it is never silent."""


class Window:
    """A program of ours in a terminal of so many rows and columns.

    With `keep` the terminal stays open here, so that its modes can be read.
    """

    def __init__(
        self, home: Home, *words: str, rows: int = 24, columns: int = 80, keep: bool = False
    ) -> None:
        self.written = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._fd, inner = pty.openpty()
        self.before = termios.tcgetattr(inner)
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [PYTHON, str(ROOT / "run.py"), *words, "--home", str(home.path)],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={**env, "TERM": "xterm-256color"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self._inner = inner
        if not keep:
            os.close(inner)

    def read(self) -> bool:
        """Take what was written since; False once the program has closed the terminal."""
        ready = select.select([self._fd], [], [], PATIENCE)[0]
        assert ready, f"silent after {self.written[-300:]!r}:\n" + "\n".join(self.screen())
        with suppress(OSError):  # EIO: nobody has the other end any more
            if piece := os.read(self._fd, 65536):
                self.written += piece
                self._stream.feed(piece)
                return True
        return False

    def chosen(self) -> list[str]:
        """The rows, but for the last one, that are shown in reverse."""
        shown, buffer = self.screen(), self._screen.buffer
        return [text for row, text in enumerate(shown[:-1]) if text and buffer[row][2].reverse]

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def modes(self) -> list[Any]:
        """The terminal's attributes as they are now; with `keep` only."""
        return termios.tcgetattr(self._inner)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self.read():
            pass
        os.close(self._fd)
        return self.process.wait(30)

    def screen(self) -> list[str]:
        """The rows of the screen as they are now."""
        return [line.rstrip() for line in self._screen.display]
