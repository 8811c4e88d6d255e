"""Read one terminal's screen in a worker process, within a time limit."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from actors.clis.judging import Judgement, judge
from actors.clis.profile import Profile
from actors.platform.workers import Worker, WorkerLate
from actors.terminal.errors import Unreadable

log = logging.getLogger("callboard.terminal")

QUIET_MS: Final = 300
"""Milliseconds without output after which a screen is judged."""
PROMPT_MS: Final = 1_500
"""Milliseconds of silence after which a working program may be asking something."""
UNKNOWN_MS: Final = 5_000
"""Milliseconds of silence after which a person is shown a screen that the profile does not know."""
UNREADABLE_SECONDS = 120.0
"""Seconds until a screen that took too long to compute is tried again."""
SLOW_SECONDS = 10.0
"""Seconds until a screen that was not read only because the machine was slow is tried again."""

_PATTERN: Final = (
    "a pattern of its profile, `ready` or `busy` or that of a prompt, may backtrack without end"
)
_SLOW: Final = "the machine is too busy, or its disk does not answer; it is soon tried again"

T = TypeVar("T")


class Screens:
    """The reader of one terminal's screen. Used in the actor's thread.

    A screen may take too long, because a pattern backtracks without end. It is not tried again for
    a while, because the other terminals wait for the same worker; `try_later` is called with that
    time.
    """

    def __init__(self, at: str, worker: Worker, try_later: Callable[[float], None]) -> None:
        self._at = at
        self._worker = worker
        self._try_later = try_later
        self._failure = ""
        self._unreadable_until = 0.0

    def judge(
        self, profile: Profile, directory: Path, size: tuple[int, int], before: int | None
    ) -> Judgement:
        """Judge the newest screen, compared with the screen at offset `before`.

        If it cannot be read in time, return a judgement that shows nothing the profile knows: its
        text gives the reason, and its `end` is -1.
        """
        try:
            return self.read(judge, profile, directory, size, before)
        except Unreadable as error:
            return Judgement(str(error), -1, ready=False, busy=False, began=False, prompt=None)

    def read(
        self,
        function: Callable[..., T],
        profile: Profile,
        directory: Path,
        size: tuple[int, int],
        *args: Any,
    ) -> T:
        """Call `function(profile, directory, rows, columns, *args)` in the worker process.

        Raise `Unreadable`, or what the function raises.
        """
        if time.monotonic() < self._unreadable_until:
            raise Unreadable(self._failure)
        try:
            return self._worker.call(function, profile, directory, *size, *args)
        except WorkerLate as late:
            seconds = UNREADABLE_SECONDS if late.computed else SLOW_SECONDS
            self._unreadable_until = time.monotonic() + seconds
            why = _PATTERN if late.computed else _SLOW
            self._failure = f"(its screen cannot be read: {late}; {why})"
            log.warning("%s %s", self._at, self._failure)
            self._try_later(seconds)
            raise Unreadable(self._failure) from late


def is_unrecognised(profile: Profile, ready: bool, seen: Judgement) -> bool:
    """Return whether a quiet screen shows nothing that the profile knows.

    `ready` says that the program was ready before. If the profile has no `busy` pattern, a working
    program may look like that, so its readable screen does not count as unrecognised.
    """
    if seen.ready or seen.busy or seen.prompt is not None or not seen.text.strip():
        return False
    return bool(profile.busy) or not ready or not seen.readable
