"""The terminal actor makes one program match its row.

The row is the intent: whether the program is to be alive, and which instruction it has. The host
and its files are the reality. `_converge` compares the two and takes the next step; it serves the
start, the restart after a failure and the recovery after a reboot. The actor stores each
observation as a fact, in one transaction with the column that records it: none is stored twice.

The parts do the work. A part does not know the others; only the actor connects them.
"""

import logging
from typing import Any

from actors.pty.events import (
    Acknowledged,
    Closed,
    Ended,
    Event,
    KeyKnown,
    Output,
    Resized,
    Silent,
    Welcome,
)
from actors.pty.records import Exit
from actors.pty.session import Broke, Found, HostSaid, Session
from actors.supervision.actor import handles
from actors.system.replies import refusal
from actors.system.stage import Stage
from actors.terminal.delivery import Blocked, Delivery
from actors.terminal.exit import Departure, remove_config_home
from actors.terminal.freeze import Freeze
from actors.terminal.hosted import Hosted
from actors.terminal.launch import Launch
from actors.terminal.limits import Limits
from actors.terminal.looks import Looks
from actors.terminal.port import Done, Due, Failed, Timer
from actors.terminal.prompts import Prompts
from actors.terminal.screens import PROMPT_MS, QUIET_MS, UNKNOWN_MS
from actors.terminal.setup import Outcome, SetUp, SetUpSaid
from actors.terminal.silence import Silence
from actors.terminal.timeout import Timeout
from actors.terminal.turn import Turn
from actors.terminal.usage import Usage
from bus import address as addresses
from bus.kinds import Ending
from bus.messages import Answer, Look, Sweep, Swept, YourTurn
from bus.status import TerminalStatus

log = logging.getLogger("callboard.terminal")

GRACE_MS = 5_000  # between TERM and KILL when a program is ended
PROBE_SECONDS = 1.0  # until a failed probe is repeated


class TerminalActor(Hosted):
    """One terminal of a workflow. A handler that launches it waits for its worktree and host."""

    def __init__(self, stage: Stage, address: str) -> None:
        super().__init__(stage, address)
        self._launch = Launch(self)
        self._set_up = SetUp(self)
        self._delivery = Delivery(self)
        self._prompts = Prompts(self)
        self._silence = Silence(self)
        self._limits = Limits(self)
        self._usage = Usage(self)
        self._timeout = Timeout(self)
        self._turn = Turn(self)
        self._freeze = Freeze(self)
        self._looks = Looks(self)
        self._departure = Departure(self)

    def on_start(self) -> None:
        """Read the row, and have this actor look at it."""
        super().on_start()
        self.look_again()

    def on_stop(self) -> None:
        """Let go of the host; the program goes on running."""
        self._let_go()

    def on_failure(self, *_: object) -> None:
        """Let go of the host; the program goes on running."""
        self._let_go()

    # ---- convergence ---------------------------------------------------------------------

    @handles(Look)
    def look(self, _message: Look) -> None:
        """Read the row and take the next step towards it; stop if there is no row."""
        row = self.stage.reader.terminal(self.at)
        if row is None:
            self.stop()
            return
        if self.row.incarnation != row.incarnation:
            self.read_again()
        self.row = row
        if self.session is not None and self.session.incarnation != row.incarnation:
            self._let_go()
        if row.launch_over or row.gone:
            self._launch.turn_over()
        self._converge()

    def _converge(self) -> None:
        row = self.row
        self.retire(row.incarnation == 0 or row.gone)  # it is started again when it is needed
        if row.incarnation == 0 or row.gone:
            self._delivery.answered()
            self._let_go()
            remove_config_home(self)
        elif self._departure.under_way:
            self._departure.ask_sweep()
        elif self._set_up.under_way:
            self._heed(self._set_up.converge())
        elif not self.connected:
            self._find()
        elif not row.shall_run:
            self._delivery.answered()
            self.end_program(GRACE_MS)
        elif row.kept:
            self._delivery.answered()
            self._looks.watch()
            self._freeze.keep()
        elif row.status == TerminalStatus.RUNNING:
            self._timeout.arm()
            self._looks.watch()
            self._deliver()
        if self.connected:
            self._freeze.obey()

    def _find(self) -> None:
        """Look for the host of this incarnation, and act on what is found."""
        session = self.new_session()
        if (found := session.look()) is Found.FOREIGN and not self.row.launch_over:
            session.set_aside()  # left by a host that is not of this incarnation
            found = Found.NEVER
        match found:
            case Found.ALIVE:
                self._adopt(session)
            case Found.ENDED:
                self._departure.has_ended(session.exit())
            case Found.LOST:
                session.end_strays(GRACE_MS / 1000)
                self._departure.has_ended(Exit(Ending.LOST, 0, 0.0, 0, 0, 0))
            case Found.UNKNOWN | Found.FOREIGN:
                self.after(Timer.PROBE, PROBE_SECONDS)
            case Found.NEVER if self.row.launch_over:  # it ran, and its files are gone
                self._departure.has_ended(Exit(Ending.LOST, 0, 0.0, 0, 0, 0))
            case Found.NEVER if self.row.shall_run and not self.may_begin:
                self._let_go_link()  # the merger tells when it may begin
            case Found.NEVER if self.row.shall_run:
                self._heed(self._launch.attempt(self._reach_turn))
            case Found.NEVER if not self._set_up.ends_what_runs():
                self._departure.never_came()
                self._launch.turn_over()
                self._let_go()

    def _adopt(self, session: Session) -> None:
        try:
            session.connect()
        except OSError as error:
            log.info("%s: the host does not answer yet: %s", self.at, error)
            self.after(Timer.PROBE, PROBE_SECONDS)
        else:
            self._freeze.adopt(session.identity)

    # ---- launch --------------------------------------------------------------------------

    def _reach_turn(self) -> Outcome:
        """Make the working directory, have it set up, and ask for the turn.

        A step that is already done takes little time, so this may be repeated.
        """
        where = self._launch.make_place()
        if self._set_up.is_wanted(where):
            return self._set_up.begin(where)
        self._launch.ask_turn(where)
        return None

    @handles(YourTurn)
    def your_turn(self, message: YourTurn) -> None:
        """Start the program, unless it has been started or is not wanted any more."""
        session = self.session
        if session is None or self._set_up.under_way or not self._launch.is_wanted(message):
            self._launch.refuse(message)
        elif not session.connected and not self._departure.under_way:
            outcome = self._launch.take_turn(session)
            if isinstance(outcome, Exit):
                self._departure.has_ended(outcome)
            else:
                self._heed(outcome)

    @handles(SetUpSaid)
    def set_up_said(self, message: SetUpSaid) -> None:
        """Act on an event of the set-up's host."""
        self._heed(self._set_up.heard(message))

    def _heed(self, outcome: Outcome) -> bool:
        """Continue after a step of the launch. Return whether there was something to do."""
        match outcome:
            case Done():
                self.look_again()
            case Failed() as failed:
                self._launch.failed(failed, self.session)
        return outcome is not None

    # ---- what the host says --------------------------------------------------------------

    @handles(HostSaid)
    def heard(self, message: HostSaid) -> None:
        """Act on an event of this incarnation's host."""
        if self.session is not None and message.incarnation == self.session.incarnation:
            self._on_event(message.event)

    def _on_event(self, event: Event | Broke) -> None:
        match event:
            case Broke(error=error):
                raise error
            case Welcome():
                self._welcomed(event)
            case Acknowledged():
                self._delivery.acknowledged(event)
                self._prompts.pressed(event.key)
            case Resized(rows=rows, columns=columns):
                self.note_size(rows, columns)
            case KeyKnown():
                blocked = self._delivery.key_known(event, self._limits.may_type)
                if isinstance(blocked, Blocked):
                    self._prompts.keeps_from_typing(blocked.seen)
            case Silent(ms=ms, offset=offset):
                self._look_at_screen(ms)
                if ms >= PROMPT_MS:
                    self._looks.rest(offset)
            case Output(pushed=True):
                self._looks.output_came()
            case Ended(exit=ended):
                self._departure.has_ended(ended)
            case Closed(reason=reason):
                self._closed(reason)
            case _:
                log.debug("%s: %r", self.at, event)

    def _welcomed(self, event: Welcome) -> None:
        self._prompts.reconnected()
        self.note_size(event.rows, event.columns)
        self._launch.welcomed(event.program_pid, event.end)
        self.listen()
        row = self.row
        if row.shall_run and not row.launch_over:
            self._launch.expect_ready()
            self.after(Timer.QUIET, QUIET_MS / 1000)
            self._looks.watch()
        elif row.status == TerminalStatus.RUNNING:
            self.after(Timer.QUIET, PROMPT_MS / 1000)
        self._converge()

    def _closed(self, reason: str) -> None:
        log.info("%s: the link closed: %s", self.at, reason)
        if not self._departure.under_way:
            self._let_go_link()
            self.look_again()

    def listen(self) -> None:
        """Ask the host to report silences, counted from now."""
        soon = not self.row.launch_over or self._prompts.answering
        times = [*([QUIET_MS] if soon else []), PROMPT_MS, UNKNOWN_MS, self._silence.limit_ms]
        self.send(lambda link: link.quiet(times))

    # ---- looks at the screen -----------------------------------------------------------

    def _look_at_screen(self, ms: int) -> None:
        """Judge the screen once, and pass the judgement to the parts.

        The program has written nothing for `ms` milliseconds; with 0 it may be writing now.
        """
        if self.row.launch_over and (not self.row.shall_run or self.row.resting):
            return
        seen, still = self._looks.judge(self._delivery.before, ms)
        calm = still >= PROMPT_MS or ms > 0
        if not self.row.launch_over:
            if calm and not self._heed(self._launch.judge_ready(seen)):
                self._prompts.consider(seen, still, self._delivery.looking)
            return
        self._delivery.consider(seen)
        if self.row.kept:
            self._freeze.consider(seen, still)
            return
        if self._limits.consider(seen, still):
            self._deliver()
            return
        if self._turn.consider(seen, still):
            self._usage.tell()
        if self.row.status == TerminalStatus.RUNNING and still >= self._silence.limit_ms:
            if self._silence.is_too_long(still):
                self._silence.tell(still, seen)
            return
        if calm or (seen.busy and seen.prompt is None):
            self._prompts.consider(seen, still, self._delivery.looking)
        self._deliver()

    def _deliver(self) -> None:
        """Have the newest instruction of a terminal at work typed, unless a limit keeps it."""
        if self.row.works and not self._limits.waits():
            self._delivery.converge()

    def _quiet_since_turn(self) -> None:
        """Have the watcher sweep: since the turn ended, `idle_after` has passed in quiet."""
        if self._turn.is_due(*self._looks.judge(self._delivery.before, 0)):
            self.stage.tell(addresses.watcher(self.workflow_id), Sweep(self.at))

    def _look_for_turn(self) -> None:
        """Check whether the newest instruction has begun a turn."""
        if self._delivery.before is None:
            return
        seen, still = self._looks.judge(self._delivery.before, 0)
        if self._delivery.due(seen):
            self._prompts.consider(seen, UNKNOWN_MS, self._delivery.looking)
        if not self._limits.consider(seen, still) and self._turn.consider(seen, still):
            self._usage.tell()

    # ---- the end -------------------------------------------------------------------------

    @handles(Swept)
    def swept(self, _message: Swept) -> None:
        """Tell the end of the program, or of its turn: all its commits are journaled."""
        if self._departure.under_way and self.session is not None:
            self._usage.tell()
            self._departure.tell(self._delivery.unsure)
            self._launch.turn_over()
            self._let_go()
        elif self._turn.awaits_sweep:
            self._turn.swept()

    # ---- timers and answers ----------------------------------------------------------------

    @handles(Due)
    def due(self, message: Due) -> None:
        """Handle a timer that has run out. Drop one of a former incarnation."""
        if message.incarnation != self.row.incarnation or self.session is None:
            return
        match message.timer:
            case Timer.SWEEP if self._departure.under_way:
                self._departure.ask_sweep()
            case Timer.SET_UP:
                self._set_up.too_late()
            case Timer.PROBE:
                self._let_go()
                self.look(Look())
            case Timer.READY if not self.row.launch_over:
                self._heed(self._launch.not_ready(self.judge()))
            case Timer.QUIET | Timer.VERSION:
                self._look_at_screen(QUIET_MS)
            case Timer.LOOK if self._looks.is_due():
                self._look_at_screen(0)
            case Timer.IDLE:
                self._quiet_since_turn()
            case Timer.LIMIT if self.row.works:
                self._limits.due()
                self._deliver()
            case Timer.STALL | Timer.SCREEN:
                self.listen()
            case Timer.TIMEOUT if self.row.works:
                self._timeout.due()
            case Timer.KEEP:
                self._freeze.due()
            case Timer.ANSWER:
                self._prompts.too_late()
            case Timer.EVIDENCE:
                self._look_for_turn()

    @handles(Answer)
    def answer(self, message: Answer) -> None:
        """Give a person's answer to the prompt on the screen."""
        if self.session is None:
            self._converge()  # an answer may arrive before the actor has looked for the host
        self._prompts.answered_by_person(message, self.judge())

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """Answer the person whose message made this actor fail."""
        message = self.decode(item)
        if isinstance(message, Answer):
            failure = refusal(f"the answer to {self.at}", error)
            self.stage.replies.refuse(message.client, message.id, failure)

    # ---- letting go ------------------------------------------------------------------------

    def _let_go_link(self) -> None:
        if self.drop_session():
            self._delivery.forget()
            self._turn.forget()
            self._looks.unwatch()

    def _let_go(self) -> None:
        """Forget this incarnation and its host; the program goes on running."""
        self._launch.began = False
        self.cancel_all()
        self._let_go_link()
        first = self._set_up, self._freeze, self._delivery, self._prompts
        parts: tuple[Any, ...] = *first, self._timeout, self._looks, self._departure
        for part in parts:
            part.forget()
