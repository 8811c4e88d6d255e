"""Delivery: type an instruction once, and tell whether it began a turn.

The host types an input at most once for each key, and remembers its keys as long as it lives. The
key is `incarnation:step`, so an instruction is typed exactly once, even across crashes of the
runtime. The screen shows whether the program took it. If it shows no new turn, Enter is pressed
once more; then `instruction.unconfirmed` is told. The instruction is never typed again (hazards 21,
29).
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.clis.judging import Judgement, writes_for
from actors.pty.events import Acknowledged, KeyKnown, KeyState, Result
from actors.terminal import conversation
from actors.terminal.errors import Unreadable
from actors.terminal.port import Port, Timer
from actors.terminal.screens import is_unrecognised
from bus.facts import InstructionDelivered, InstructionSent, InstructionUnconfirmed
from bus.status import TerminalStatus

EVIDENCE_SECONDS = 1.0
"""Seconds between two looks for a new turn."""
ENTER_AT, LOOKS = 4, 16
"""The look at which Enter is pressed again, and the look after which no more follow."""


class Blocked(msgspec.Struct, frozen=True):
    """The instruction was not typed, because of the screen `seen`."""

    seen: Judgement


class Delivery:
    """The part that delivers instructions. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._untyped = (0, 0)
        self.forget()

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._typing = 0
        self._before: int | None = None
        self._looks = 0

    # ---- typing --------------------------------------------------------------------------

    def converge(self) -> None:
        """Ask the host about the newest step if it is not typed, or its turn was not seen.

        `key_known` handles the answer: it types the step, or looks for its turn. While the workflow
        is paused, nothing new is typed.
        """
        port, row = self._port, self._port.row
        paused, _ = port.stage.reader.pause_of(port.workflow_id)
        waits = row.sent < row.step
        if waits and (paused or self._typing >= row.step or not port.may_begin):
            return
        if waits or (row.delivered < row.step and self._before is None):
            self._ask(self._key(row.step))

    def key_known(self, event: KeyKnown, may_type: Callable[[], bool]) -> Blocked | None:
        """Type the step if the host has not typed it, and `may_type` says so.

        If the host is typing it now, wait for its acknowledgement. Return `Blocked` if the screen
        does not take an instruction.
        """
        port, row = self._port, self._port.row
        if event.key != self._key(row.step):
            return None
        match event.state:
            case KeyState.TYPED:
                self._typed(event.offset)
            case KeyState.PENDING:
                self._typing = row.step
                port.send(lambda link: link.type(event.key, []))
            case KeyState.UNKNOWN if row.works and row.sent < row.step and self._typing < row.step:
                self._untyped = (row.incarnation, row.step)
                if may_type():
                    return self._type(row.step, row.instruction)
        return None

    def acknowledged(self, event: Acknowledged) -> None:
        """Note that the host has typed the step, now or before."""
        if event.key == self._key(self._port.row.step) and event.result != Result.REFUSED:
            self._typed(event.offset)

    def _type(self, step: int, text: str) -> Blocked | None:
        """Type the step, unless the screen shows a question or is unknown to the profile."""
        port = self._port
        seen = port.judge()
        if seen.prompt is not None or is_unrecognised(port.profile, port.row.launch_over, seen):
            return Blocked(seen)
        try:
            writes = port.read_screen(writes_for, text, self._file(step))
        except Unreadable:
            return Blocked(port.judge())
        self._typing, self._untyped = step, (0, 0)
        key = self._key(step)
        port.send(lambda link: link.type(key, writes))
        return None

    def _file(self, step: int) -> Path:
        """Return the file for a text that is given by a file, where a fenced program reads it."""
        home, _ = conversation.home_of(self._port)
        return home / "tmp" / f"instruction-{self._port.row.incarnation}-{step}.md"

    def _typed(self, offset: int) -> None:
        """Tell once that the newest step is typed; then look for the turn it began."""
        port = self._port
        self._before = offset
        self._looks = 0
        if port.row.sent < port.row.step:
            self._tell_sent()
        if port.row.works:
            port.listen()
            port.after(Timer.EVIDENCE, EVIDENCE_SECONDS)
        else:
            self.answered()

    def _tell_sent(self) -> None:
        row = self._port.row
        fact = InstructionSent(
            address=self._port.at,
            incarnation=row.incarnation,
            step=row.step,
            bytes=len(row.instruction.encode()),
        )
        self._port.observe(fact, sent=row.step)

    # ---- what became of it -----------------------------------------------------------------

    @property
    def before(self) -> int | None:
        """The end of the output when the step was typed, while its turn is looked for; else None.

        The screen is judged by a comparison with the screen at that offset.
        """
        row = self._port.row
        looked_for = row.delivered < row.step <= row.sent
        return self._before if looked_for else None

    @property
    def looking(self) -> bool:
        """Whether a step is not delivered yet.

        Its text may stand in the input box, where some programs look neither ready nor busy.
        """
        return self._port.row.delivered < self._port.row.step

    def consider(self, seen: Judgement) -> None:
        """Tell that the instruction was delivered if `seen`, judged from `before`, shows a turn."""
        if self.before is not None and seen.began:
            self._tell_delivered()

    def due(self, seen: Judgement) -> bool:
        """Look for a turn in `seen`, which is judged from `before`.

        Return True if there was none in `LOOKS` looks and that was told now.
        """
        if self.before is None:
            return False
        if seen.began:
            self._tell_delivered()
            return False
        port, row = self._port, self._port.row
        self._looks += 1
        if self._looks == ENTER_AT:
            key = self._key(row.step, ":enter")
            port.send(lambda link: link.type(key, [(b"\r", 0)]))
        if self._looks < LOOKS:
            port.after(Timer.EVIDENCE, EVIDENCE_SECONDS)
            return False
        self._tell(
            InstructionUnconfirmed(
                address=port.at, incarnation=row.incarnation, step=row.step, screen=seen.text
            )
        )
        return True

    def answered(self) -> None:
        """Tell of a step of a terminal that has ended: it was sent, and delivered if it was taken.

        If the runtime died between the typing and its record, the host is asked, which knows. Work
        that was accepted shows that the step was delivered; no better evidence of a turn is needed.
        It also shows that the step was typed if the host is gone.
        """
        row = self._port.row
        taken = row.status in (TerminalStatus.COMPLETED, TerminalStatus.RUNNING)
        if row.works or row.delivered >= row.step:
            return
        if row.sent < row.step:
            if not row.gone:
                self._ask(self._key(row.step))
                return
            if taken:
                self._tell_sent()
        if taken:
            self._tell_delivered()

    @property
    def unsure(self) -> int:
        """The step whose delivery is unknown because its host is gone; 0 if there is none."""
        row = self._port.row
        known = row.sent >= row.step or self._untyped == (row.incarnation, row.step)
        return 0 if known else row.step

    # ---- telling ---------------------------------------------------------------------------

    def _ask(self, key: bytes) -> None:
        self._port.send(lambda link: link.ask_key(key))

    def _key(self, step: int, suffix: str = "") -> bytes:
        return f"{self._port.row.incarnation}:{step}{suffix}".encode()

    def _tell_delivered(self) -> None:
        row = self._port.row
        self._tell(
            InstructionDelivered(address=self._port.at, incarnation=row.incarnation, step=row.step)
        )

    def _tell(self, fact: InstructionDelivered | InstructionUnconfirmed) -> None:
        self._port.cancel(Timer.EVIDENCE)
        self._port.observe(fact, delivered=self._port.row.step)
