"""Paint lines on the terminal's other screen, and only those that have changed.

What was on the terminal before comes back when the screen is closed.
"""

import os
import sys
from contextlib import suppress

from rich.text import Text

from actors.command_line.output.neutral import Neutral, console

_OPEN = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J"
_CLOSE = "\x1b[0m\x1b[?25h\x1b[?1049l"


class Screen:
    """The other screen of the terminal on standard output."""

    def __init__(self) -> None:
        self._console = console()
        self._size = (0, 0)
        self._painted: list[str] = []
        self.is_open = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now."""
        size = self._console.size
        return size.width, size.height

    @property
    def is_ours(self) -> bool:
        """Whether this process may draw: a shell may have put it into the background."""
        try:
            return os.tcgetpgrp(1) == os.getpgrp()
        except OSError:
            return True  # a terminal without job control

    def open(self) -> None:
        """Show the other screen, empty and without a cursor."""
        self._painted, self.is_open = [], True
        self._write(_OPEN)

    def close(self) -> None:
        """Show what was there before. A terminal that is gone is no error."""
        if self.is_open:
            self.is_open = False
            self._write(_CLOSE)

    def paint(self, lines: list[Text]) -> None:
        """Show these lines from the top, each no wider than the screen."""
        if self._size != self.size:
            self._size, self._painted = self.size, []
            self._write("\x1b[2J")
        new = [self._styled(line) for line in lines]
        old = [*self._painted, *[""] * len(new)]
        changed = [
            f"\x1b[{row};1H\x1b[2K{text}\x1b[0m"
            for row, text in enumerate(new, 1)
            if text != old[row - 1]
        ]
        if len(new) < len(self._painted):
            changed.append(f"\x1b[{len(new) + 1};1H\x1b[J")
        self._painted = new
        self._write("".join(changed))

    def _styled(self, line: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(Neutral(line), end="")
        return captured.get().rstrip("\n")

    def _write(self, text: str) -> None:
        """Write at once. A signal's handler may close the screen while a picture is written.

        `sys.stdout` refuses that: a buffered writer cannot be entered twice.
        """
        with suppress(OSError):
            sys.stdout.flush()
            data = text.encode(errors="replace")
            while data:
                data = data[os.write(1, data) :]
