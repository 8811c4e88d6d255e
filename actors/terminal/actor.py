"""The terminal actor: makes one program be what its row says.

The row is the intent (alive or not, which instruction), the host and its files are the
reality; `_converge` compares them and takes the next step. Start, restart after a failure
and recovery after a reboot are this one function. What is learned becomes a fact, stored
together with the column that says so, so that nothing is told twice.
"""

import logging
import signal
from typing import Any

from actors.clis import home as config_home
from actors.platform import processes
from actors.platform.processes import Exit
from actors.pty.link import (
    Acknowledged,
    Closed,
    Ended,
    Event,
    KeyKnown,
    Scope,
    Silent,
    Welcome,
)
from actors.pty.session import Broke, Found, HostSaid, Session
from actors.supervision.actor import handles
from actors.system.replies import broken
from actors.system.stage import Stage
from actors.terminal.base import Due, TerminalBase
from actors.terminal.delivery import Delivery
from actors.terminal.exit import Departure
from actors.terminal.launch import Launch
from actors.terminal.prompts import PROMPT_MS, QUIET_MS, UNKNOWN_MS, Prompts
from actors.terminal.setup import SetUp, SetUpSaid
from bus import clock
from bus.facts import (
    TerminalAdopted,
    TimedOut,
)
from bus.messages import Answer, Look, Swept, YourTurn
from bus.status import TerminalStatus

log = logging.getLogger("callboard.terminal")

GRACE_MS = 5_000
"""Between TERM and KILL of a program that is to end."""
PROBE_SECONDS = 1.0
"""Until a probe that failed is repeated."""


class TerminalActor(TerminalBase):
    """One terminal of a workflow. Handlers run in its own thread; that of a launch waits
    for its worktree and its host, a second or so."""

    def __init__(self, stage: Stage, address: str) -> None:
        super().__init__(stage, address)
        self._session: Session | None = None
        self.launch = Launch(self)
        self.set_up = SetUp(self)
        self._timed = 0.0  # the `working_clock` that the timeout's timer counts from
        self.delivery = Delivery(self)
        self.prompts = Prompts(self)
        self.departure = Departure(self)

    def on_start(self) -> None:
        self.stage.tell(self.address, Look())

    def on_stop(self) -> None:
        self.let_go()

    def on_failure(self, *_: object) -> None:
        self.let_go()

    # ---- convergence ---------------------------------------------------------------------

    @handles(Look)
    def look(self, message: Look) -> None:
        row = self.stage.reader.terminal(self.at)
        if row is None:
            self.stop()
            return
        if hasattr(self, "row") and self.row.incarnation != row.incarnation:
            self.read_again()
        self.row = row
        if self._session is not None and self._session.incarnation != row.incarnation:
            self.let_go()
        if row.ready or row.gone:
            self.launch.turn_over()
        self._converge()

    def _converge(self) -> None:
        row = self.row
        if row.incarnation == 0 or row.gone:
            self.delivery.answered()
            self.let_go()
            if row.incarnation:
                config_home.cleanup(self.directory / "home")
        elif self.departure.under_way:
            self.departure.ask_sweep()
        elif self.set_up.under_way:
            self.set_up.converge()
        elif self._session is None or not self._session.connected:
            self._find()
        elif not row.alive:
            self.delivery.answered()
            self.session.do(lambda link: link.end(GRACE_MS))
        elif row.status == TerminalStatus.RUNNING:
            self._arm_timeout()
            self.delivery.converge()
        self._obey_freeze()

    @property
    def found(self) -> Session | None:
        """The session of this incarnation that was looked for; it may not be connected."""
        return self._session

    @property
    def session(self) -> Session:
        if self._session is None:
            raise LookupError(f"{self.at} has no session")
        return self._session

    def _new_session(self) -> Session:
        where, row = self.address, self.row
        return Session(
            self.stage.loop,
            lambda said: self.stage.timers.notify(where, said),
            directory=self.stage.paths.terminal_dir(self.at, row.incarnation),
            socket=self.stage.paths.socket(self.at, row.incarnation),
            token=row.token,
            incarnation=row.incarnation,
        )

    def _find(self) -> None:
        """Compare with reality: is there a host, did it end, was it never started?"""
        self._session = session = self._new_session()
        match session.look():
            case Found.ALIVE:
                self._adopt(session)
            case Found.ENDED:
                self.departure.has_ended(session.exit())
            case Found.LOST:
                session.end_strays(GRACE_MS / 1000)
                self.departure.has_ended(Exit("lost", 0, 0.0, 0, 0, 0))
            case Found.UNKNOWN:
                self.later("probe", PROBE_SECONDS)
            case Found.NEVER if self.row.alive and not self.may_begin:
                self._let_go_link()  # the merger says when
            case Found.NEVER if self.row.alive:
                self.launch.ask()
            case Found.NEVER if not self.set_up.ends_what_runs():
                self.departure.never_came()

    def _adopt(self, session: Session) -> None:
        try:
            session.connect()
            # A signal to a session costs its host a look at every process there is.
            self.prompts.frozen = processes.is_stopped(processes.read_identity(self.directory))
        except OSError as error:
            log.info("%s: the host does not answer yet: %s", self.at, error)
            self.later("probe", PROBE_SECONDS)

    @handles(YourTurn)
    def your_turn(self, message: YourTurn) -> None:
        self.launch.granted(message)

    @handles(SetUpSaid)
    def set_up_said(self, message: SetUpSaid) -> None:
        self.set_up.heard(message)

    # ---- what the host says --------------------------------------------------------------

    @handles(HostSaid)
    def heard(self, message: HostSaid) -> None:
        if self._session is None or message.incarnation != self._session.incarnation:
            return
        self._on_event(message.event)

    def _on_event(self, event: Event | Broke) -> None:
        match event:
            case Broke(error=error):
                raise error
            case Welcome():
                self._welcomed(event)
            case Acknowledged():
                self.delivery.acknowledged(event)
                self.prompts.pressed(event.key)
            case KeyKnown():
                self.delivery.key_known(event)
            case Silent(ms=ms):
                self._silent(ms)
            case Ended(exit=ended):
                self.departure.has_ended(ended)
            case Closed(reason=reason):
                log.info("%s: the link closed: %s", self.at, reason)
                if not self.departure.under_way:
                    self._let_go_link()
                    self.stage.tell(self.address, Look())
            case _:
                log.debug("%s: %r", self.at, event)

    def _welcomed(self, event: Welcome) -> None:
        row = self.row
        self.prompts.reconnected()
        if not self.launch.began:
            self.store(
                [
                    TerminalAdopted(
                        address=self.at,
                        incarnation=row.incarnation,
                        pid=event.program_pid,
                        offset=event.end,
                    )
                ]
            )
        if row.alive and not row.ready:
            self.listen()
            self.launch.expect_ready()
            self.later("quiet", QUIET_MS / 1000)
        else:
            self.listen()
            if row.status == TerminalStatus.RUNNING:
                self.later("quiet", PROMPT_MS / 1000)
        self._converge()

    def _silent(self, ms: int) -> None:
        row = self.row
        works = row.status == TerminalStatus.RUNNING
        if not row.ready:
            self.launch.judge_ready(ms)
        elif works and ms >= self._stall_ms():
            self._silent_long(ms / 1000)
        elif row.alive:
            seen = self.judge()
            if works:
                self.delivery.consider()
            self.prompts.consider(seen, ms)
            if works:
                self.delivery.converge()

    def listen(self) -> None:
        """Have the host say when nothing has come for a while, from now on."""
        soon = not self.row.ready or self.prompts.answering
        times = [*([QUIET_MS] if soon else []), PROMPT_MS, UNKNOWN_MS, self._stall_ms()]
        self.session.do(lambda link: link.quiet(times))

    def _silent_long(self, seconds: float) -> None:
        """Silence counts from when it was set to work, and not in a pause."""
        limit = self.plan.stall_after
        worked = min(seconds, clock.awake_since(self.row.working_clock))
        paused, _ = self.stage.reader.pause_of(self.workflow_id)
        if paused or worked < limit:
            self.later("stall", limit if paused else limit - worked)
        else:
            self.prompts.stalled(worked)

    @handles(Swept)
    def swept(self, message: Swept) -> None:
        if self.departure.under_way and self._session is not None:
            self.departure.tell()
            self.let_go()
            self.stage.tell(self.address, Look())

    # ---- timers and answers ----------------------------------------------------------------

    @handles(Due)
    def due(self, message: Due) -> None:
        if not hasattr(self, "row"):
            return  # mail of a former incarnation
        if message.incarnation != self.row.incarnation or self._session is None:
            return
        match message.what:
            case "sweep" if self.departure.under_way:
                self.departure.ask_sweep()
            case "set_up":
                self.set_up.too_late()
            case "probe":
                self.let_go()
                self.look(Look())
            case "ready" if not self.row.ready:
                self.launch.not_ready()
            case "quiet":
                self._silent(QUIET_MS)
            case "stall" | "screen":
                self.listen()
            case "timeout" if self.row.status == TerminalStatus.RUNNING:
                self._timed_out()
            case "answer":
                self.prompts.too_late()
            case "evidence":
                self.delivery.consider(due=True)

    def _arm_timeout(self) -> None:
        limit = self.asked.timeout
        if limit is not None and not self.is_due("timeout"):
            self._timed = self.row.working_clock
            self.later("timeout", max(0.0, limit - clock.awake_since(self._timed)))

    def _timed_out(self) -> None:
        """A frozen program has time; it begins anew when the workflow goes on."""
        self.cancel("timeout")
        limit = self.asked.timeout or 0.0
        _, frozen = self.stage.reader.pause_of(self.workflow_id)
        if frozen:
            return
        if self._timed != self.row.working_clock:
            self._arm_timeout()
            return
        self.store([TimedOut(address=self.at, incarnation=self.row.incarnation, seconds=limit)])

    def _stall_ms(self) -> int:
        return int(self.plan.stall_after * 1000)

    @handles(Answer)
    def answer(self, message: Answer) -> None:
        if not hasattr(self, "row"):
            self.look(Look())
        self.prompts.answered_by_person(message)

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """An answer that broke this actor is answered, not forgotten."""
        message = self.decode(item)
        if isinstance(message, Answer):
            failure = broken(f"the answer to {self.at}", error)
            self.stage.replies.refuse(message.client, message.id, failure)

    def _obey_freeze(self) -> None:
        """`pause --freeze` stops the program's whole session; `resume` goes on."""
        if self._session is None or not self._session.connected:
            return
        _, frozen = self.stage.reader.pause_of(self.workflow_id)
        if frozen != self.prompts.frozen:
            self.prompts.frozen = frozen
            signo = signal.SIGSTOP if frozen else signal.SIGCONT
            self.session.do(lambda link: link.signal(signo, Scope.SESSION))

    def _let_go_link(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
            self.delivery.forget()

    def let_go(self) -> None:
        """Forget this incarnation's host; what runs goes on running."""
        self.launch.began = False
        self.set_up.forget()
        self.cancel_all()
        self._let_go_link()
        self.delivery.forget()
        self.prompts.forget()
        self.departure.forget()
