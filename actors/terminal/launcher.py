"""The launcher: it grants the turn to start a program to one terminal at a time.

Terminals of all workflows are started in the order of their requests (hazard 52). An isolated
program has a config home of its own, so the next program is started while it becomes ready; at most
`IN_FLIGHT` programs are becoming ready at a time. A program that reads the user's own
configuration, where its provider is switched on, is started alone: when no other is becoming ready,
and no other is started before it is ready.

The launcher stores nothing: after a restart every terminal that is `starting` asks again. A
terminal for which a provider is switched on keeps its turn, so that no other program reads that
configuration.

A program is started only if the machine has the memory that its profile names, and the disk has
room. Until then it waits, and those behind it wait too, so that none is overtaken again and again.
What runs is not ended for it (only where the system would end programs by itself, the launcher has
`relief` name one). One whose account is limited, or whose workflow has used up its
`memory`, is put aside, because others need not wait for that; of one workflow none overtakes
another.
"""

from collections import deque
from contextlib import suppress
from pathlib import Path

from actors.platform import room
from actors.platform.loop import Timer
from actors.platform.room import disk_reserve
from actors.pty import records, strays
from actors.supervision.actor import handles
from actors.system.stage import CompanyActor, Stage
from actors.terminal import switching
from actors.terminal.relief import Relief
from bus import address as addresses
from bus import clock
from bus.facts import LaunchWaits
from bus.kinds import LaunchWait
from bus.messages import AskTurn, Look, Started, TurnOver, YourTurn
from bus.rows import Terminal
from store.change import Operation, Update
from store.errors import LostRace

IN_FLIGHT = 8
"""How many isolated programs may be becoming ready at a time."""


MEMORY_RESERVE = 256
"""MiB of memory that stay free."""
PRESSURE = 20.0
"""Percent of the time in which everything waits for memory: no program is started meanwhile."""
AGAIN = 3.0
"""Seconds until memory and disk are looked at again for a launch that waits."""


class Launcher(CompanyActor):
    """The actor that grants turns. Its handlers never wait."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._queue: deque[AskTurn] = deque()
        self._aside: dict[tuple[str, int], tuple[AskTurn, LaunchWait]] = {}
        self._turn: AskTurn | None = None
        self._becoming_ready: dict[tuple[str, int], int] = {}
        self._timer: Timer | None = None
        self._relief = Relief(stage)

    def on_start(self) -> None:
        """Restore the state from the disk and the rows, and have starting terminals ask again."""
        self._relief.listen(lambda: self.stage.timers.notify(self.address, Look()))
        for terminal, incarnation in switching.pending(self.stage):
            row = self.stage.reader.terminal(terminal)
            mine = row is not None and row.incarnation == incarnation
            if row is not None and mine and row.shall_run and not (row.launch_over or row.gone):
                self._turn = AskTurn(terminal, incarnation, alone=True)
            else:
                switching.put_back(self.stage, terminal, incarnation)
        for address in self.stage.reader.starting_terminals():
            row = self.stage.reader.terminal(address)
            if row is not None and self._runs(row):
                self._becoming_ready[address, row.incarnation] = 0
            self.stage.tell(address, Look())

    def _runs(self, row: Terminal) -> bool:
        """Return whether the program was started before this launcher, and not alone."""
        directory = self.stage.paths.terminal_dir(row.address, row.incarnation)
        alone = self._turn is not None and self._turn.terminal == row.address
        return not alone and records.host_lives(directory) is True

    @handles(AskTurn)
    def ask(self, message: AskTurn) -> None:
        """Queue a request for the turn.

        A terminal that was restarted asks again, and keeps its position or its turn.
        """
        holds = self._turn is not None and _key(message) == _key(self._turn)
        if holds or _key(message) in self._becoming_ready:
            self._grant(message)
        elif _key(message) not in self._aside and _key(message) not in map(_key, self._queue):
            self._queue.append(message)
            self._next()

    @handles(Started)
    def started(self, message: Started) -> None:
        """Start the next one while this one becomes ready, unless this one is started alone."""
        turn = self._turn
        if turn is not None and _key(turn) == _key(message) and not turn.alone:
            self._turn = None
            self._becoming_ready[_key(message)] = turn.memory
            self._next()

    @handles(TurnOver)
    def over(self, message: TurnOver) -> None:
        """End the turn of a terminal that is ready, or will not become so."""
        mine = _key(message)
        self._queue = deque(each for each in self._queue if _key(each) != mine)
        self._becoming_ready.pop(mine, None)
        self._aside.pop(mine, None)
        if self._turn is not None and _key(self._turn) == mine:
            self._turn = None
        self._next()

    def _next(self) -> None:
        while self._turn is None and self._queue and self._may_start(self._queue[0]):
            first = self._queue[0]
            row = self.stage.reader.terminal(first.terminal)
            waits = row is not None and row.shall_run and not row.launch_over
            if row is not None and waits and row.incarnation == first.incarnation:
                own, reason = self._own_hindrance(first)
                wait = own
                if not own:
                    wait, reason = self._hindrance(first)
                self._tell(row, wait, reason)
                if wait:
                    self._look_later()
                if own:
                    self._aside[_key(first)] = first, own
                elif wait:
                    return
                else:
                    self._turn = first
                    self._grant(first)
            self._queue.popleft()

    @handles(Look)
    def look(self, _message: Look) -> None:
        """Look again whether there is room for what runs, and for what waits, in its order."""
        self._look_no_more()
        if (short := self._relief.name()) is not None:
            self.stage.commit(self, [short])
        self._queue.extendleft(reversed([message for message, _ in self._aside.values()]))
        self._aside.clear()
        self._next()

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = self.stage.timers.after(AGAIN, self.address, Look())

    def _own_hindrance(self, first: AskTurn) -> tuple[LaunchWait, str]:
        """Return what this launch must wait for and others need not, and why."""
        known = self.stage.reader.account(first.account)
        if known.by and known.until and not clock.has_passed(known.until):
            said = f"{known.name} is limited ({known.by}) until {known.until}"
            return LaunchWait.LIMIT, said
        workflow = addresses.workflow_of(first.terminal)
        for other, wait in self._aside.values():
            if wait == LaunchWait.MEMORY and addresses.workflow_of(other.terminal) == workflow:
                return LaunchWait.MEMORY, f"{other.terminal} waits for memory before it"
        used = self._used(workflow) if first.cap else None
        if used and used + first.memory > first.cap:
            why = f"the programs of {workflow} take {used} MiB of the {first.cap} of their cap"
            return LaunchWait.MEMORY, why
        return LaunchWait.NONE, ""

    def _used(self, workflow: str) -> int | None:
        """Return the MiB that the programs of a workflow take; None if that is unknown."""
        row = self.stage.reader.workflow(workflow)
        live = [each for each in row.terminals() if not each.gone] if row is not None else []
        try:
            return strays.resident_mib({each.token for each in live if each.token})
        except OSError:
            return None

    def _hindrance(self, first: AskTurn) -> tuple[LaunchWait, str]:
        """Return what this launch must wait for, and why. What is unknown holds nothing up."""
        git_dir, _ = self.stage.reader.repository(addresses.workflow_of(first.terminal))
        for place in (self.stage.paths.home, Path(git_dir)):
            disk = room.disk(place)
            if disk is not None and disk[0] < (reserve := disk_reserve(disk[1])):
                why = f"{disk[0]} MiB are free on the disk of {place}, less than {reserve}"
                return LaunchWait.DISK, why
        free = room.free_memory()
        needed = first.memory + sum(self._becoming_ready.values()) + MEMORY_RESERVE
        if free is not None and free < needed:
            return LaunchWait.MEMORY, f"{free} MiB of memory are free, and {needed} are needed"
        pressure = room.memory_pressure()
        if pressure is not None and pressure > PRESSURE:
            why = f"the machine waits for memory {pressure:.0f} % of the time"
            return LaunchWait.MEMORY, why
        return LaunchWait.NONE, ""

    def _tell(self, row: Terminal, wait: LaunchWait, reason: str) -> None:
        """Store what a launch waits for, with its fact, if that has changed."""
        if row.waits == wait:
            return
        expect = {"incarnation": row.incarnation, "waits": row.waits}
        change: list[Operation] = [Update("terminal", row.address, {"waits": wait}, expect)]
        if wait:
            fact = LaunchWaits(
                address=row.address, incarnation=row.incarnation, wait=wait, reason=reason
            )
            change.append(fact)
        with suppress(LostRace):  # it is not wanted any more, and has another row
            self.stage.commit(self, change)

    def _look_no_more(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def on_stop(self) -> None:
        """Stop the timer, and listen no more."""
        self._look_no_more()
        self._relief.close()

    def on_failure(self, *_: object) -> None:
        """Stop the timer, and listen no more."""
        self.on_stop()

    def _may_start(self, first: AskTurn) -> bool:
        """Return whether the first in the queue may start. No other overtakes it."""
        return len(self._becoming_ready) < (1 if first.alone else IN_FLIGHT)

    def _grant(self, message: AskTurn) -> None:
        self.stage.tell(message.terminal, YourTurn(message.incarnation))


def _key(message: AskTurn | Started | TurnOver) -> tuple[str, int]:
    return message.terminal, message.incarnation
