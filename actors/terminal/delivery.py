"""Delivery: an instruction is typed once, and it is said whether a turn began.

The host types an input at most once for each key and remembers the keys as long as it
lives, so `incarnation:step` as the key makes typing exactly-once across crashes of the
runtime. Whether the program took it is judged on its screen; where nothing shows a new
turn, Enter is pressed once more, then `instruction.unconfirmed` says so. It is never typed
twice (hazards 21, 29).
"""

from typing import TYPE_CHECKING

from actors.clis.judging import writes_for
from actors.pty.link import Acknowledged, KeyKnown, KeyState, Result
from actors.terminal.base import Unreadable
from actors.terminal.prompts import UNKNOWN_MS
from bus.facts import InstructionDelivered, InstructionSent, InstructionUnconfirmed
from bus.status import TerminalStatus
from store.change import Operation, Update

if TYPE_CHECKING:
    from actors.terminal.actor import TerminalActor

EVIDENCE_SECONDS = 1.0
"""Between looks for a new turn."""
ENTER_AT, LOOKS = 4, 16
"""At which look Enter is pressed again, and after how many it is given up."""


class Delivery:
    """The part of a terminal actor that hands instructions in. In the actor's thread."""

    def __init__(self, actor: "TerminalActor") -> None:
        self._actor = actor
        self._untyped = (0, 0)
        self.forget()

    def forget(self) -> None:
        """Another incarnation begins, or this actor lets go."""
        self._typing = 0
        self._before: int | None = None
        self._looks = 0

    def converge(self) -> None:
        """Type the newest step if it is not typed (a paused workflow types nothing new);
        look for evidence if none is known."""
        row = self._actor.row
        paused, _ = self._actor.stage.reader.pause_of(self._actor.workflow_id)
        waits = row.sent < row.step
        if waits and (paused or self._typing >= row.step or not self._actor.may_begin):
            return
        if waits or (row.delivered < row.step and self._before is None):
            key = self._key(row.step)
            self._actor.session.do(lambda link: link.ask_key(key))

    def _key(self, step: int, suffix: str = "") -> bytes:
        return f"{self._actor.row.incarnation}:{step}{suffix}".encode()

    def _type(self, step: int, text: str) -> None:
        """Nothing is typed into a question, or into a screen nobody recognises: those are
        shown, and the next quiet screen is looked at again."""
        actor = self._actor
        seen = actor.judge()
        if seen.prompt is not None or actor.prompts.is_unrecognised(seen):
            actor.prompts.keep_from_typing(seen)
            return
        try:
            writes = actor.read_screen(writes_for, text)
        except Unreadable:
            actor.prompts.keep_from_typing(actor.judge())
            return
        self._typing, self._untyped = step, (0, 0)
        key = self._key(step)
        actor.session.do(lambda link: link.type(key, writes))

    @property
    def unsure(self) -> int:
        """The step that may have been typed, and that only the host could tell of; 0 if there
        is none, or the host said that it was not. For when the program is gone."""
        row = self._actor.row
        known = row.sent >= row.step or self._untyped == (row.incarnation, row.step)
        return 0 if known else row.step

    def acknowledged(self, event: Acknowledged) -> None:
        """The host has typed it, now or before."""
        if event.key == self._key(self._actor.row.step) and event.result != Result.REFUSED:
            self._typed(event.offset)

    def key_known(self, event: KeyKnown) -> None:
        """The host knows what it typed, whoever asked for it: what it does not know is typed
        now; what it is typing still, it tells when it is done."""
        row = self._actor.row
        if event.key != self._key(row.step):
            return
        match event.state:
            case KeyState.TYPED:
                self._typed(event.offset)
            case KeyState.PENDING:
                self._typing = row.step
                self._actor.session.do(lambda link: link.type(event.key, []))
            case KeyState.UNKNOWN if row.alive and row.sent < row.step and self._typing < row.step:
                self._untyped = (row.incarnation, row.step)
                self._type(row.step, row.instruction)

    def _typed(self, offset: int) -> None:
        """The newest step is typed: say so once, then look for the turn it began."""
        actor = self._actor
        self._before = offset
        self._looks = 0
        if actor.row.sent < actor.row.step:
            actor.store(self._sent())
        if actor.row.alive:
            actor.listen()
            actor.later("evidence", EVIDENCE_SECONDS)
        else:
            self.answered()

    def _sent(self) -> list[Operation]:
        actor, row = self._actor, self._actor.row
        fact = InstructionSent(
            address=actor.at,
            incarnation=row.incarnation,
            step=row.step,
            bytes=len(row.instruction.encode()),
        )
        expect = {"incarnation": row.incarnation, "sent": row.sent}
        return [Update("terminal", actor.at, {"sent": row.step}, expect), fact]

    def answered(self) -> None:
        """Its work was taken: no better evidence of a turn is wanted. Where a crash came
        between the typing and its record, the host is asked first; where the host is gone
        too, the work alone says that the instruction was typed."""
        actor, row = self._actor, self._actor.row
        taken = row.status in (TerminalStatus.COMPLETED, TerminalStatus.RUNNING)
        if row.alive or not taken or row.delivered >= row.step:
            return
        if row.sent < row.step:
            if not row.gone:
                key = self._key(row.step)
                actor.session.do(lambda link: link.ask_key(key))
                return
            actor.store(self._sent())
        self._tell(
            InstructionDelivered(address=actor.at, incarnation=row.incarnation, step=row.step)
        )

    @property
    def looking(self) -> bool:
        """Whether a turn is still looked for: the text may stand in the input box meanwhile,
        where some programs look neither ready nor busy."""
        return self._actor.row.delivered < self._actor.row.step

    def consider(self, due: bool = False) -> None:
        """Look for a turn that began after the step was typed. `due`: it is time for one."""
        actor, row = self._actor, self._actor.row
        if self._before is None or row.delivered >= row.step or row.sent < row.step:
            return
        seen = actor.judge(before=self._before)
        if seen.began:
            self._tell(
                InstructionDelivered(address=actor.at, incarnation=row.incarnation, step=row.step)
            )
        elif due:
            self._looks += 1
            if self._looks == ENTER_AT:
                key = self._key(row.step, ":enter")
                actor.session.do(lambda link: link.type(key, [(b"\r", 0)]))
            if self._looks < LOOKS:
                actor.later("evidence", EVIDENCE_SECONDS)
                return
            self._tell(
                InstructionUnconfirmed(
                    address=actor.at,
                    incarnation=row.incarnation,
                    step=row.step,
                    screen=seen.text,
                )
            )
            actor.prompts.consider(seen, UNKNOWN_MS)

    def _tell(self, fact: InstructionDelivered | InstructionUnconfirmed) -> None:
        actor, row = self._actor, self._actor.row
        actor.cancel("evidence")
        expect = {"incarnation": row.incarnation, "delivered": row.delivered}
        actor.store([Update("terminal", actor.at, {"delivered": row.step}, expect), fact])
