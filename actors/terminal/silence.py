"""Silence: tell of a program that shows nothing new for `stall_after` seconds.

Silence never ends or completes anything (hazards 17, 34).
"""

from actors.clis.judging import Judgement
from actors.terminal.port import Port, Timer
from bus import clock
from bus.facts import TerminalStalled


class Silence:
    """The part that tells of a long silence. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port

    @property
    def limit_ms(self) -> int:
        """The milliseconds of silence that are too long."""
        return int(self._port.plan.stall_after * 1000)

    def is_too_long(self, ms: int) -> bool:
        """Return whether the silence of a working terminal is too long, and not told yet.

        The silence counts from the moment at which the terminal was set to work, and not during a
        pause. A shorter one is measured again later.
        """
        port, limit = self._port, self._port.plan.stall_after
        worked = min(ms / 1000, clock.awake_since(port.row.working_clock))
        paused, _ = port.stage.reader.pause_of(port.workflow_id)
        if not paused and worked >= limit:
            row = port.row
            waits = row.blocked or row.idle or (row.limited and not row.retries)
            return not (row.stalled or waits)
        port.after(Timer.STALL, limit if paused else limit - worked)
        return False

    def tell(self, ms: int, seen: Judgement) -> None:
        """Tell of the silence, once."""
        port, row = self._port, self._port.row
        worked = min(ms / 1000, clock.awake_since(row.working_clock))
        fact = TerminalStalled(
            address=port.at, incarnation=row.incarnation, seconds=worked, screen=seen.text
        )
        port.observe(fact, while_alive=True, stalled=True)
