"""Relief: a machine that is about to end programs for want of memory is given some back.

The launcher names the youngest program that has nothing to do; its workflow ends it, and starts it
again later. One at a time, because memory comes back slowly. Runs in the launcher's thread.
"""

import logging
from collections.abc import Callable

from actors.clis import lookup
from actors.clis.profile import ProfileError
from actors.platform import room
from actors.system.stage import Stage
from bus import address as addresses
from bus import clock
from bus.facts import MemoryShort
from bus.rows import Terminal
from bus.status import TerminalStatus

log = logging.getLogger("callboard.launcher")

LAST_MEMORY = 128
"""MiB of memory below which the system may end programs at any time."""
LAST_PRESSURE = 40.0
"""Percent of the time in which everything waits for memory: the machine hardly works."""
RELIEF = 10.0
"""Seconds in which memory comes back from a program that was ended."""


class Relief:
    """Hears when programs wait for memory, and says which one is to make room."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._alarm: room.MemoryAlarm | None = None
        self._named = -RELIEF

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` in the loop's thread whenever programs wait for memory."""
        loop = self._stage.loop
        try:
            alarm = self._alarm = room.MemoryAlarm()
        except OSError as error:
            log.info("nobody tells when programs wait for memory: %s", error)
            return
        loop.post(lambda: loop.watch(alarm, wake, None))

    def close(self) -> None:
        """Listen no more."""
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            self._stage.loop.post(lambda: self._end(alarm))

    def _end(self, alarm: room.MemoryAlarm) -> None:
        self._stage.loop.unwatch(alarm.fileno())
        alarm.close()

    def name(self) -> MemoryShort | None:
        """Return the fact that names a program, if the system may end programs; else None."""
        short = _shortage()
        if not short or clock.awake() < self._named + RELIEF:
            return None
        for row in self._stage.reader.resting_terminals():
            if row.status == TerminalStatus.WAITING or self._can_go_on(row):
                self._named = clock.awake()
                return MemoryShort(address=row.address, incarnation=row.incarnation, reason=short)
        return None

    def _can_go_on(self, row: Terminal) -> bool:
        """Return whether its CLI goes on with its conversation in another process."""
        plan = self._stage.reader.plan(addresses.workflow_of(row.address))
        try:
            return bool(lookup.profiles(plan.cli)[row.cli].session.resume)
        except (ProfileError, KeyError):
            return False


def _shortage() -> str:
    """Return how short of memory the machine is, if it may end programs; else ""."""
    free, pressure = room.free_memory(), room.memory_pressure()
    if free is not None and free < LAST_MEMORY:
        return f"{free} MiB are free"
    if pressure is not None and pressure > LAST_PRESSURE:
        return f"everything waits for memory {pressure:.0f} % of the time"
    return ""
