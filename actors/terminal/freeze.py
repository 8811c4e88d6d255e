"""Freezing: a program is stopped with its whole session, and continued later.

`pause --freeze` stops it until `resume`. A program that is kept while its work is judged is stopped
when its turn has ended, so that it cannot write beside the next terminal (hazard 36). That it is
stopped is an observation: all its processes were seen to be.
"""

import signal

import msgspec

from actors.clis.judging import Judgement
from actors.pty import records
from actors.pty.events import Scope
from actors.terminal.port import Port, Timer
from actors.terminal.screens import PROMPT_MS
from bus.facts import TerminalKept

PROOF_SECONDS = 0.1
"""Seconds until it is examined whether a program that was stopped is."""
PROOFS = 50
"""How often that is examined; then the program is not kept."""


class Freeze:
    """The part that freezes and continues the program. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.forget()

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._frozen: bool | None = False
        self._forget_kept()

    def _forget_kept(self) -> None:
        self._watched = False
        self._over = False
        self._proofs = 0

    def adopt(self, identity: records.Identity | None) -> None:
        """Note whether the program of an adopted host is stopped.

        This saves needless signals: for each signal to a session the host examines every process.
        """
        self._frozen = records.is_stopped(identity)

    def obey(self) -> None:
        """Stop or continue the session if the workflow says so and its state differs."""
        row = self._port.row
        if not row.kept:
            self._forget_kept()
        _, frozen = self._port.stage.reader.pause_of(self._port.workflow_id)
        frozen = frozen or (row.kept and (row.resting or self._over))
        if frozen != self._frozen:
            self._signal(frozen)

    def _signal(self, frozen: bool) -> None:
        self._frozen = frozen
        signo = signal.SIGSTOP if frozen else signal.SIGCONT
        self._port.send(lambda link: link.signal(signo, Scope.SESSION))

    # ---- a program that is kept --------------------------------------------------------------

    def keep(self) -> None:
        """Have the end of the turn of a kept program noticed, for `idle_after` at most."""
        port = self._port
        if not (port.row.resting or self._watched):
            self._watched = True
            port.listen()
            port.after(Timer.KEEP, port.plan.idle_after)

    def consider(self, seen: Judgement, ms: int) -> None:
        """Stop a kept program if a screen that has stood still for `ms` shows its turn's end."""
        at_rest = seen.readable and seen.ready and not seen.busy and ms >= PROMPT_MS
        if self._over or not at_rest or seen.prompt is not None or seen.obstacle is not None:
            return
        self._over = True
        self._signal(True)
        self._port.after(Timer.KEEP, PROOF_SECONDS)

    def due(self) -> None:
        """Tell whether a kept program is stopped, as soon as that is known."""
        port, row = self._port, self._port.row
        if not row.kept or row.resting:
            return
        _, frozen = port.stage.reader.pause_of(port.workflow_id)
        if frozen and not self._over:  # its turn cannot end meanwhile
            port.after(Timer.KEEP, port.plan.idle_after)
            return
        stopped = self._over and self._is_stopped()
        self._proofs += 1
        if stopped is False and self._over and self._proofs < PROOFS:
            self._signal(True)  # a process may have been made meanwhile
            port.after(Timer.KEEP, PROOF_SECONDS)
            return
        fact = TerminalKept(address=port.at, incarnation=row.incarnation, stopped=bool(stopped))
        port.observe(fact, while_alive=True, kept=True, resting=bool(stopped))

    def _is_stopped(self) -> bool | None:
        """Return whether all processes of the program are stopped. None is unknown."""
        try:
            return records.are_all_stopped(records.read_identity(self._port.directory))
        except (OSError, msgspec.DecodeError):
            return None
