"""Prompts: answer a question by policy, or show it to a person.

A question is answered by policy if the profile knows it and the plan allows it. Any other is shown
to a person within seconds. A question never completes or ends anything (hazards 32, 33).
"""

from typing import Any

import msgspec

from actors.clis.judging import Judgement, Step, step_towards
from actors.clis.keys import NoSuchChoice
from actors.clis.recognise import Prompt, answer_policy
from actors.terminal import port as ports
from actors.terminal.errors import Unreadable
from actors.terminal.port import Port, Timer
from actors.terminal.screens import PROMPT_MS, UNKNOWN_MS, is_unrecognised
from bus.errors import illegal
from bus.facts import TerminalAnswered, TerminalBlocked, TerminalResumed
from bus.messages import Answer
from bus.peer import By, Caller
from bus.reasons import Reason

ANSWER_SECONDS = 20.0
"""Seconds until an answer is given up because the screen never comes to rest."""
STEPS = 4
"""How often a list's marker is moved before a person is asked."""


class _Answer(msgspec.Struct):
    """An answer under way: the marker is moved, its position is checked, Enter is pressed."""

    label: str
    caller: Caller
    client: str = ""
    id: Any = None
    steps: int = 0


Asked = tuple[str, tuple[str, ...]]


def _asked(prompt: Prompt) -> Asked:
    """Return the identity of a question: its name and its choices."""
    return prompt.name, tuple(prompt.choices)


class Prompts:
    """The part that handles questions. Runs in the actor's thread."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._answer: _Answer | None = None
        self.forget()

    def forget(self) -> None:
        """Reset: another incarnation begins, or the actor lets go of this one."""
        self._give_up(f"{self._port.at} has ended, or is looked at anew")
        self._answered = -1
        self._last: Asked | None = None
        self._pressing = b""

    @property
    def answering(self) -> bool:
        """Whether an answer is under way; then the next quiet screen is wanted soon."""
        return self._answer is not None

    # ---- a quiet screen --------------------------------------------------------------------

    def consider(self, seen: Judgement, ms: int, looking: bool) -> None:
        """Handle a screen that has been quiet for `ms`: report a new prompt, or clear an old one.

        While `looking` for a turn, a screen that the profile does not know is not reported.
        """
        if self._pressing:
            return  # the screen is from before the input
        if seen.prompt is None:
            self._asks_nothing(seen, ms, looking)
        elif self._answer is not None:
            self._go_on(self._answer, seen)
        else:
            self._asks(seen.prompt, seen, ms)

    def _asks_nothing(self, seen: Judgement, ms: int, looking: bool) -> None:
        row = self._port.row
        self._last = None
        self._give_up(f"{self._port.at} asks nothing any more")
        # Of a terminal at work, `Turn` tells what has taken the keyboard.
        taken = row.works and row.step > 0 and seen.obstacle is not None
        if not taken and is_unrecognised(self._port.profile, row.launch_over, seen):
            long = ms >= UNKNOWN_MS or not seen.readable
            if long and row.blocked != seen.text and not looking:
                self._tell_blocked(_unknown(seen))
        elif row.blocked or row.stalled:
            fact = TerminalResumed(address=self._port.at, incarnation=row.incarnation)
            self._port.observe(fact, blocked="", stalled=False)

    def _asks(self, prompt: Prompt, seen: Judgement, ms: int) -> None:
        label = answer_policy(self._port.auto_confirm, prompt)
        if label is None and self._port.unverified == "":
            self._port.after(Timer.VERSION, ports.VERSION_SECONDS)
        if label is not None and ms < PROMPT_MS and _asked(prompt) == self._last:
            return  # a slow program still shows this question; Enter would answer the next one
        if label is not None and seen.end != self._answered:
            self._answer = _Answer(label, Caller(By.POLICY))
            self._go_on(self._answer, seen)
        elif self._port.row.blocked != prompt.text and (label is None or ms >= PROMPT_MS):
            self._tell_blocked(prompt)

    def keeps_from_typing(self, seen: Judgement) -> None:
        """Show a person the screen that does not take an instruction."""
        if seen.prompt is not None:
            self.consider(seen, UNKNOWN_MS, looking=True)
        elif self._port.row.blocked != seen.text:
            self._tell_blocked(_unknown(seen))

    def _tell_blocked(self, prompt: Prompt) -> None:
        fact = TerminalBlocked(
            address=self._port.at,
            incarnation=self._port.row.incarnation,
            prompt=prompt.name,
            choices=prompt.choices,
            text=prompt.text,
            dangerous=prompt.dangerous,
        )
        self._port.observe(fact, while_alive=True, blocked=prompt.text)

    # ---- answering -------------------------------------------------------------------------

    def answered_by_person(self, message: Answer, seen: Judgement) -> None:
        """Choose by label, as `answer T CHOICE` asks, on the screen as it is now."""
        at, refusal = self._port.at, ""
        if self._answer is not None:
            refusal = f"{at} is being answered: {self._answer.label}"
        elif not seen.readable:
            refusal = f"{at} {seen.text}"
        elif seen.prompt is None:
            refusal = f"{at} asks nothing now that has choices"
        elif seen.prompt.dangerous and message.proposed:
            refusal = f"{at} asks something dangerous, which a person answers"
        if refusal:
            error = illegal(Reason.NOT_BLOCKED, refusal)
            self._port.stage.replies.refuse(message.client, message.id, error)
            return
        self._answer = _Answer(message.choice, message.caller, message.client, message.id)
        self._port.after(Timer.ANSWER, ANSWER_SECONDS)
        self._go_on(self._answer, seen)

    def too_late(self) -> None:
        """Give up an answer that takes too long, and tell the person who waits for it."""
        self._pressing = b""
        self._give_up(f"the screen of {self._port.at} does not come to rest; look at it again")

    def _go_on(self, answer: _Answer, seen: Judgement) -> None:
        """Take one step towards the answer.

        The screen is judged again after each move of the marker, because lists differ in how they
        take keys (hazard 33).
        """
        port = self._port
        try:
            step = port.read_screen(step_towards, answer.label)
        except (NoSuchChoice, Unreadable) as error:
            self._give_up(str(error))
            return
        if not step.moves:
            self._last = _asked(seen.prompt) if seen.prompt else None
            self._take(answer, step)
        elif answer.steps < STEPS:
            answer.steps += 1
            self._press(f"{port.row.incarnation}:move:{step.end}:{answer.steps}", step)
        else:
            self._answered = step.end
            self._give_up(f"the marker does not go to {answer.label!r}; nothing was chosen")
            if seen.prompt is not None and port.row.blocked != seen.prompt.text:
                self._tell_blocked(seen.prompt)

    def _take(self, answer: _Answer, step: Step) -> None:
        """Press Enter on the choice.

        The key holds the offset of the question in the output, so that it is answered once.
        """
        port, incarnation = self._port, self._port.row.incarnation
        fact = TerminalAnswered(
            address=port.at,
            incarnation=incarnation,
            choice=answer.label,
            by=answer.caller.by,
            peer=answer.caller.peer,
        )
        port.observe(fact, blocked="")
        self._press(f"{incarnation}:answer:{step.end}", step)
        self._answer, self._answered = None, step.end
        port.cancel(Timer.ANSWER)
        if not port.row.launch_over:
            port.after(Timer.READY, port.profile.ready_timeout)
        if answer.client:
            port.stage.replies.reply(answer.client, answer.id, {"answered": answer.label})

    def _press(self, key: str, step: Step) -> None:
        self._pressing = pressed = key.encode()
        self._port.send(lambda link: link.type(pressed, step.writes))

    def pressed(self, key: bytes) -> None:
        """Note that the host has typed `key`: the next quiet screen shows the effect."""
        if key == self._pressing:
            self._pressing = b""
            self._port.listen()

    def reconnected(self) -> None:
        """Forget an input that may have been lost with the link; the screen shows its effect."""
        self._pressing = b""

    def _give_up(self, why: str) -> None:
        """Drop the answer, and tell the person who asked for it."""
        answer, self._answer = self._answer, None
        self._port.cancel(Timer.ANSWER)
        if answer is not None and answer.client:
            error = illegal(Reason.NO_SUCH_CHOICE, why)
            self._port.stage.replies.refuse(answer.client, answer.id, error)


def _unknown(seen: Judgement) -> Prompt:
    """Return the prompt that shows a person a screen without a known question."""
    return Prompt("unrecognised" if seen.readable else "unreadable", seen.text, [])
