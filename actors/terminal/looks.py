"""When a screen is looked at, and for how long it has shown nothing new.

The host reports silences. A program that writes without a pause is never silent, so its screen is
judged also while it changes, at a bounded rate. While there is no output, nothing wakes the actor:
the host is asked to report the next output, and its first piece starts the looks again.
"""

import time

from actors.clis.judging import Judgement
from actors.clis.life import Life
from actors.pty import output
from actors.terminal.port import Port, Timer
from bus import clock
from bus.status import TerminalStatus

LOOK_SECONDS = 2.0
"""Seconds between two looks at a screen that changes."""
LONGEST = 30.0
"""Seconds between two looks, at most, if nothing new has been seen for long."""
SHARE = 40.0
"""The pause after a look, as a multiple of its duration: the terminals share one worker."""


class Looks:
    """The part that looks at the screen. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._life = Life()
        self.forget()

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._life.forget()
        self._cost = 0.0
        self._end = -1
        self._seen: tuple[int | None, tuple[int, int], Judgement] | None = None
        self._watching = False

    def judge(self, before: int | None, ms: int) -> tuple[Judgement, int]:
        """Return the newest screen, and for how many milliseconds it has shown nothing new.

        The program has written nothing for `ms` milliseconds; `before` is as in `Port.judge`. The
        last judgement is returned again if there was no output since: a host reports a silence at
        several times, and all at once after an adoption.
        """
        begun = time.monotonic()
        seen = self._seen_before(before)
        if seen is None:
            seen = self._port.judge(before=before)
            self._seen = (before, self._port.size, seen)
        self._cost = time.monotonic() - begun
        self._end = seen.end
        now = clock.awake()
        self._life.see(seen.text, now)
        return seen, max(ms, int(self._life.still(now) * 1000))

    def _seen_before(self, before: int | None) -> Judgement | None:
        """Return the last judgement if another one would be the same, else None."""
        if self._seen is None:
            return None
        known, size, seen = self._seen
        same = (known, size) == (before, self._port.size) and seen.readable
        return seen if same and output.size(self._port.directory) == seen.end else None

    # ---- while it moves --------------------------------------------------------------------

    def watch(self) -> None:
        """From now on look at the screen also while it changes."""
        if not self._watching:
            self._watching = True
            self._port.after(Timer.LOOK, LOOK_SECONDS)

    def unwatch(self) -> None:
        """End the watch: the connection to the host is lost."""
        self._watching = False

    def rest(self, offset: int) -> None:
        """Stop looking until there is output after `offset`."""
        if self._watching:
            self._port.cancel(Timer.LOOK)
            self._port.send(lambda link: link.follow(offset))

    def output_came(self) -> None:
        """Look again: the program writes."""
        self._port.send(lambda link: link.follow(None))
        if self._watching:
            self._port.after(Timer.LOOK, LOOK_SECONDS)

    def is_due(self) -> bool:
        """Schedule the next look; return whether there is new output to look at now."""
        row = self._port.row
        if not row.shall_run or (row.launch_over and row.status != TerminalStatus.RUNNING):
            self._watching = False
            return False
        still = self._life.still(clock.awake())
        pause = max(LOOK_SECONDS, SHARE * self._cost, min(LONGEST, still / 4))
        self._port.after(Timer.LOOK, pause)
        return output.size(self._port.directory) != self._end
