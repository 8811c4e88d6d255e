"""Silence: a program that shows nothing new for `stall_after` seconds is told of.

Silence never ends or completes anything (hazards 17, 34).
"""

from actors.clis.judging import Judgement
from actors.terminal.port import Port, Timer
from bus import clock
from bus.facts import TerminalStalled


class Silence:
    """The part that tells of a long silence. In the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port

    @property
    def limit_ms(self) -> int:
        """The silence that is too long."""
        return int(self._port.plan.stall_after * 1000)

    def is_too_long(self, ms: int) -> bool:
        """Whether the terminal, which works, has been silent for too long.

        The silence counts from the moment it was set to work, and not in a pause; a shorter one is
        measured again.
        """
        port, limit = self._port, self._port.plan.stall_after
        worked = min(ms / 1000, clock.awake_since(port.row.working_clock))
        paused, _ = port.stage.reader.pause_of(port.workflow_id)
        if not paused and worked >= limit:
            return not (port.row.stalled or port.row.blocked or port.row.idle)
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
