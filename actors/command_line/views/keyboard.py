"""The keys that a person presses while a view is shown."""

import contextlib
import os
import re
import select
import sys
import termios
import tty
from enum import StrEnum

_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[A-Za-z])?|[^\x1b]")


class Key(StrEnum):
    """A key with a name. Every other key is its own character."""

    UP = "up"
    DOWN = "down"
    ENTER = "enter"
    ESCAPE = "escape"


_NAMED = {
    b"\x1b[A": Key.UP,
    b"\x1bOA": Key.UP,
    b"k": Key.UP,
    b"\x1b[B": Key.DOWN,
    b"\x1bOB": Key.DOWN,
    b"j": Key.DOWN,
    b"\r": Key.ENTER,
    b"\n": Key.ENTER,
    b"\x1b": Key.ESCAPE,
}


def keys_in(data: bytes) -> list[str]:
    """Return the keys in what was read. Sequences that have no name here are left out."""
    found = []
    for piece in _SEQUENCE.findall(data):
        if piece in _NAMED:
            found.append(str(_NAMED[piece]))
        elif len(piece) == 1 and piece.isascii() and piece.decode().isprintable():
            found.append(piece.decode())
    return found


class Keyboard:
    """Standard input, read key by key without echo, if it is a terminal.

    A process in the background may not read its terminal, nor change it: either would stop it.
    """

    def __init__(self) -> None:
        self._before: list[object] | None = None

    def take(self) -> None:
        """Read key by key from now on. Signals of the terminal, such as Ctrl-C, stay."""
        if self._before is None and self._is_ours():
            self._before = termios.tcgetattr(0)
            tty.setcbreak(0, termios.TCSANOW)

    def give(self) -> None:
        """Restore the terminal's attributes."""
        before, self._before = self._before, None
        if before is not None and self._is_ours():
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSANOW, before)  # type: ignore[arg-type]

    @property
    def fd(self) -> int | None:
        """The descriptor to wait for; None while no key can be read."""
        return 0 if self._before is not None and self._is_ours() else None

    def read(self) -> list[str]:
        """Return the keys that were pressed. A terminal that is gone has none, from then on."""
        if self.fd is None or not select.select([0], [], [], 0)[0]:
            return []
        try:
            data = os.read(0, 4096)
        except OSError:
            data = b""
        if not data:
            self._before = None
        return keys_in(data)

    @staticmethod
    def _is_ours() -> bool:
        try:
            return sys.stdin.isatty() and os.tcgetpgrp(0) == os.getpgrp()
        except (OSError, ValueError):
            return False
