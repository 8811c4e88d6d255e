"""Departure: a program has ended, and that is told once, after everything it did.

The last thing a program does may be its `#done`, so the watcher sweeps the refs before the
exit becomes a fact; it is asked again until it answers.
"""

import os
from typing import TYPE_CHECKING

from actors.clis import home as config_home
from actors.platform.processes import Exit
from bus import address as addresses
from bus.facts import Fact, LaunchFailed, TerminalExited
from bus.messages import Sweep
from store.change import Update

if TYPE_CHECKING:
    from actors.terminal.actor import TerminalActor

SWEEP_SECONDS = 3.0
"""Until the watcher is asked again for a sweep that it did not answer."""


class Departure:
    """The part of a terminal actor that tells an end. In the actor's thread."""

    def __init__(self, actor: "TerminalActor") -> None:
        self._actor = actor
        self.forget()

    def forget(self) -> None:
        """Another incarnation begins, or this actor lets go."""
        self._exit: Exit | None = None
        self._screen = ""

    @property
    def under_way(self) -> bool:
        """The program is gone, and that is not told yet."""
        return self._exit is not None

    def has_ended(self, ended: Exit) -> None:
        """The program is gone. First every commit it made must be in the journal."""
        if self._exit is None:
            self._exit = ended
            self.ask_sweep()
            # While the watcher looks: its last screen, for the fact.
            ran = ended.kind not in ("lost", "exec_failed")
            self._screen = self._actor.judge().text if ran else ""

    def ask_sweep(self) -> None:
        """Asked again until it is answered: a watcher that failed forgets who asked."""
        actor = self._actor
        actor.stage.tell(addresses.watcher(actor.workflow_id), Sweep(actor.address))
        actor.later("sweep", SWEEP_SECONDS)

    def tell(self) -> None:
        """The sweep is done: the end becomes a fact, and what the program had is removed."""
        ended = self._exit
        if ended is None:
            return
        actor, row = self._actor, self._actor.row
        if ended.kind == "exec_failed":
            why = f"{os.strerror(ended.status)} (errno {ended.status})"
            reason = f"the program could not be started: {why}"
            fact: Fact = LaunchFailed(address=actor.at, incarnation=row.incarnation, reason=reason)
        else:
            fact = TerminalExited(
                address=actor.at,
                incarnation=row.incarnation,
                kind=ended.kind,
                status=ended.status,
                offset=ended.offset,
                leftovers=ended.leftovers + ended.survivors,
                screen=self._screen,
                unsure=actor.delivery.unsure,
            )
        self._gone(fact)
        config_home.cleanup(actor.directory / "home")

    def never_came(self) -> None:
        """It was to be ended before it was started."""
        actor = self._actor
        kind = "never_started"
        fact = TerminalExited(address=actor.at, incarnation=actor.row.incarnation, kind=kind)
        self._gone(fact)
        actor.let_go()

    def _gone(self, fact: Fact) -> None:
        actor, row = self._actor, self._actor.row
        expect = {"incarnation": row.incarnation, "gone": False}
        sets = {"gone": True, "ready": True} if isinstance(fact, LaunchFailed) else {"gone": True}
        actor.store([Update("terminal", actor.at, sets, expect), fact])
        actor.launch.turn_over()
