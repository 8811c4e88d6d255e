"""The `timeout` of a terminal: how long it may work after it was given its instruction."""

from actors.terminal.port import Port, Timer
from bus import clock
from bus.facts import TimedOut


class Timeout:
    """The part that measures how long a terminal works. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._since: float | None = None

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._since = None

    def arm(self) -> None:
        """Measure from the row's `working_clock`, unless that is done already."""
        limit, since = self._port.asked.timeout, self._port.row.working_clock
        if limit is not None and self._since != since:
            self._since = since
            self._port.after(Timer.TIMEOUT, max(0.0, limit - clock.awake_since(since)))

    def due(self) -> None:
        """Tell that the time is up.

        A frozen program does not use up its time: the time begins anew when the workflow is
        resumed, which sets `working_clock`.
        """
        port, limit = self._port, self._port.asked.timeout
        _, frozen = port.stage.reader.pause_of(port.workflow_id)
        if limit is None or frozen:
            self._since = None
        elif self._since != port.row.working_clock:
            self.arm()
        else:
            incarnation = port.row.incarnation
            port.observe(TimedOut(address=port.at, incarnation=incarnation, seconds=limit))
