"""When a screen is looked at, and for how long what it shows has stood still.

The host tells of silences. A program that writes without a pause is never silent, so its screen is
judged also while it moves, at a bounded rate. While nothing comes nobody wakes: the host is asked
for the next output, and the first piece of it starts the looks again.
"""

import time

from actors.clis.judging import Judgement
from actors.pty import output
from actors.terminal.life import Life
from actors.terminal.port import Port, Timer
from bus import clock
from bus.status import TerminalStatus

LOOK_SECONDS = 2.0
"""Between two looks at a screen that moves."""
LONGEST = 30.0
"""The same where nothing new has been seen for long."""
SHARE = 40.0
"""A look that took a second is not repeated for so many: the terminals share one worker."""


class Looks:
    """The part that looks at the screen. In the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._life = Life()
        self.forget()

    def forget(self) -> None:
        """Another incarnation begins, or the actor lets go of this one."""
        self._life.forget()
        self._cost = 0.0
        self._end = -1
        self._watching = False

    def judge(self, before: int | None, ms: int) -> tuple[Judgement, int]:
        """The newest screen, and for how many milliseconds it has shown nothing new.

        The program has written nothing for `ms`; `before` is as in `Port.judge`.
        """
        begun = time.monotonic()
        seen = self._port.judge(before=before)
        self._cost = time.monotonic() - begun
        self._end = seen.end
        now = clock.awake()
        self._life.see(seen.text, now)
        return seen, max(ms, int(self._life.still(now) * 1000))

    # ---- while it moves --------------------------------------------------------------------

    def watch(self) -> None:
        """Look at the screen also while it moves, from now on."""
        if not self._watching:
            self._watching = True
            self._port.after(Timer.LOOK, LOOK_SECONDS)

    def unwatch(self) -> None:
        """The connection to the host is lost."""
        self._watching = False

    def rest(self, offset: int) -> None:
        """Nothing has come for a while. Look again after output from `offset` on."""
        if self._watching:
            self._port.cancel(Timer.LOOK)
            self._port.send(lambda link: link.follow(offset))

    def output_came(self) -> None:
        """The program writes again."""
        self._port.send(lambda link: link.follow(None))
        if self._watching:
            self._port.after(Timer.LOOK, LOOK_SECONDS)

    def is_due(self) -> bool:
        """It is time for a look. Return whether there is something new to be looked at."""
        row = self._port.row
        if not row.alive or (row.ready and row.status != TerminalStatus.RUNNING):
            self._watching = False
            return False
        still = self._life.still(clock.awake())
        pause = max(LOOK_SECONDS, SHARE * self._cost, min(LONGEST, still / 4))
        self._port.after(Timer.LOOK, pause)
        return output.size(self._port.directory) != self._end
