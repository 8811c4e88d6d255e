"""Whether a screen changes, apart from what blinks, spins or counts.

A program may write all the time and still do nothing: it blinks a mark above its question, turns a
spinner, or counts down to its next try. So the rendered rows of several frames are compared. Pure;
the caller passes the time.
"""

import re
from collections import deque
from typing import Final

FRAMES: Final = 8
"""How many earlier texts of a row are remembered. One of them again is no change."""

_NUMBERS: Final = re.compile(r"\d+")
_SPINNERS: Final = re.compile(r"[·✢✳✶✻✽*●○◉◎•∙◐◓◑◒◴◷◶◵|/\\\-…\u2800-\u28ff\s]+")


class Life:
    """The frames of one terminal's screen."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._rows: list[deque[str]] = []
        self._since: float | None = None

    def see(self, text: str, now: float) -> None:
        """Take the newest frame, seen at `now` in seconds."""
        rows = [_standing(row) for row in text.split("\n")]
        while len(self._rows) < len(rows):
            self._rows.append(deque([""], maxlen=FRAMES))
        rows += [""] * (len(self._rows) - len(rows))
        moved = False
        for known, row in zip(self._rows, rows, strict=True):
            if row not in known:
                known.append(row)
                moved = True
        if moved or self._since is None:
            self._since = now

    def still(self, now: float) -> float:
        """Return the seconds since the screen last showed something new.

        Before the first frame that is 0.
        """
        return now - self._since if self._since is not None else 0.0


def _standing(row: str) -> str:
    """Return the row without spinners and with each number as 0."""
    return _SPINNERS.sub(" ", _NUMBERS.sub("0", row)).strip()
