"""The command line in a terminal: a real PTY, and what its screen shows."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from contextlib import suppress

import pyte

from tests.doors.kit import PYTHON, ROOT, Home


class Window:
    """A program of ours in a terminal of so many rows and columns."""

    def __init__(self, home: Home, *words: str, rows: int = 24, columns: int = 80) -> None:
        self.written = b""
        self._size = (rows, columns)
        self._fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [PYTHON, str(ROOT / "run.py"), *words, "--home", str(home.path)],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={**env, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(inner)

    def read(self) -> bool:
        """Take what was written since; False once the program has closed the terminal."""
        with suppress(OSError):  # EIO: nobody has the other end any more
            if piece := os.read(self._fd, 65536):
                self.written += piece
                return True
        return False

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self.read():
            pass
        os.close(self._fd)
        return self.process.wait(30)

    def screen(self) -> list[str]:
        """The rows of the screen as they are now."""
        screen = pyte.Screen(self._size[1], self._size[0])
        pyte.ByteStream(screen).feed(self.written)
        return [line.rstrip() for line in screen.display]
