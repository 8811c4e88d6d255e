"""Exit: tell the end of a program once, after everything that the program did.

The last thing a program does may be its `#done`. So the watcher sweeps the refs before the exit
becomes a fact. The watcher is asked again until it answers.
"""

import logging
import os
from typing import Unpack

from actors.clis import home as config_home
from actors.clis.placeholders import LaunchError
from actors.pty.records import Exit
from actors.terminal.errors import LaunchRefused
from actors.terminal.port import Port, Timer
from bus import address as addresses
from bus.facts import Fact, LaunchFailed, TerminalExited
from bus.kinds import Ending
from bus.messages import Sweep
from store.columns import TerminalColumns

log = logging.getLogger("callboard.terminal")

SWEEP_SECONDS = 3.0
"""Seconds until the watcher is asked again for a sweep that it did not answer."""


def remove_config_home(port: Port) -> None:
    """Remove the config home of this incarnation, unless its conversation may go on.

    That one is removed when the workflow is tidied. A failure is only logged; the files stay for
    `clean`.
    """
    try:
        if not port.row.incarnation or port.profile.session.resume:
            return
        config_home.cleanup(port.directory / "home")
    except (LaunchError, LaunchRefused, OSError) as error:
        log.warning("%s: %s", port.at, error)


class Departure:
    """The part that tells how a program ended. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.forget()

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._exit: Exit | None = None
        self._screen = ""

    @property
    def under_way(self) -> bool:
        """Whether the program has ended and its end is not told yet."""
        return self._exit is not None

    def has_ended(self, ended: Exit) -> None:
        """Have every commit of the program journaled first; read its last screen meanwhile."""
        if self._exit is None:
            self._exit = ended
            self.ask_sweep()
            ran = ended.kind not in (Ending.LOST, Ending.EXEC_FAILED)
            self._screen = self._port.judge().text if ran else ""

    def ask_sweep(self) -> None:
        """Ask the watcher for the sweep, and again after `SWEEP_SECONDS` without an answer.

        A watcher that failed has forgotten the request.
        """
        port = self._port
        port.stage.tell(addresses.watcher(port.workflow_id), Sweep(port.at))
        port.after(Timer.SWEEP, SWEEP_SECONDS)

    def tell(self, unsure: int) -> None:
        """Tell the end of the program after the sweep, and remove the config home.

        `unsure` is the step whose delivery is unknown; 0 if there is none.
        """
        ended, at, incarnation = self._exit, self._port.at, self._port.row.incarnation
        if ended is None:
            return
        if ended.kind == Ending.EXEC_FAILED:
            why = f"{os.strerror(ended.status)} (errno {ended.status})"
            reason = f"the program could not be started: {why}"
            failed = LaunchFailed(address=at, incarnation=incarnation, reason=reason)
            self._tell(failed, launch_over=True)
        else:
            exited = TerminalExited(
                address=at,
                incarnation=incarnation,
                kind=ended.kind,
                status=ended.status,
                offset=ended.offset,
                leftovers=ended.leftovers + ended.survivors,
                screen=self._screen,
                unsure=unsure,
            )
            self._tell(exited)
        remove_config_home(self._port)

    def never_came(self) -> None:
        """Tell the end of a program that was ended before it was started."""
        incarnation = self._port.row.incarnation
        self._tell(
            TerminalExited(
                address=self._port.at, incarnation=incarnation, kind=Ending.NEVER_STARTED
            )
        )

    def _tell(self, fact: Fact, **columns: Unpack[TerminalColumns]) -> None:
        gone: TerminalColumns = {**columns, "gone": True}
        self._port.observe(fact, **gone)
