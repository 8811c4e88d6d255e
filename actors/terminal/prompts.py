"""Prompts and silence: a question that waits is answered by policy where the profile knows
it and the plan allows it; any other is shown to a person within seconds. Neither a question
nor silence ever completes or ends anything (hazards 17, 32, 33).
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from actors.clis.judging import Judgement, Step, step_towards, writes_for
from actors.clis.keys import NoSuchChoice
from actors.clis.recognise import Prompt, answer_policy
from actors.terminal.base import Unreadable
from bus.errors import illegal
from bus.facts import TerminalAnswered, TerminalBlocked, TerminalResumed, TerminalStalled
from bus.messages import Answer
from bus.peer import By, Caller
from store.change import Update

if TYPE_CHECKING:
    from actors.terminal.actor import TerminalActor

NUDGE = (
    "You have been silent for a while. If your work is complete, commit it as you were told; "
    "if you cannot go on, say so in a commit with #fail; otherwise go on."
)


QUIET_MS = 300
"""A screen is judged when nothing has come for so long."""
PROMPT_MS = 1_500
"""A working program that is silent for so long may be asking something."""
UNKNOWN_MS = 5_000
"""A screen nobody recognises is shown to a person when it has been quiet for so long."""
ANSWER_SECONDS = 20.0
"""Until an answer that is not given (the screen never comes to rest) is given up."""
STEPS = 4
"""Looks at a list whose marker is to be moved, before a person is asked."""


class _Answer(msgspec.Struct):
    """An answer on its way: the marker is moved first, then looked at, then taken."""

    label: str
    caller: Caller
    client: str = ""
    id: Any = None
    steps: int = 0


Asked = tuple[str, tuple[str, ...]]


def _asked(prompt: Prompt) -> Asked:
    """What makes two questions the same one."""
    return prompt.name, tuple(prompt.choices)


class Prompts:
    """The part of a terminal actor that looks for questions. In the actor's thread."""

    def __init__(self, actor: "TerminalActor") -> None:
        self._actor = actor
        self._answer: _Answer | None = None
        self.frozen: bool | None = False
        self.forget()

    def forget(self) -> None:
        self.frozen = False
        self._give_up(f"{self._actor.at} has ended, or is looked at anew")
        self._answered = -1
        self._last: Asked | None = None
        self._pressing = b""

    @property
    def answering(self) -> bool:
        """Whether the marker is on its way: then the next quiet screen is wanted soon."""
        return self._answer is not None

    def consider(self, seen: Judgement, ms: int) -> None:
        """A screen that has been quiet for `ms`: does it ask something, or not any more?"""
        row = self._actor.row
        if self._pressing:
            return  # the screen is from before
        if seen.prompt is None:
            self._last = None
            self._give_up(f"{self._actor.at} asks nothing any more")
            if self.is_unrecognised(seen):
                looking = self._actor.delivery.looking
                long = ms >= UNKNOWN_MS or bool(self._actor.unreadable)
                if long and row.blocked != seen.text and not looking:
                    self._tell_blocked(self._unknown(seen))
            elif row.blocked or row.stalled:
                self._resume()
            return
        if self._answer is not None:
            self._go_on(seen)
            return
        label = answer_policy(self._actor.auto_confirm, seen.prompt)
        if label is not None and ms < PROMPT_MS and _asked(seen.prompt) == self._last:
            return  # a slow program still shows what it was answered; Enter would go to the next
        if label is not None and seen.end != self._answered:
            self._answer = _Answer(label, Caller(By.POLICY))
            self._go_on(seen)
        elif row.blocked != seen.prompt.text and (label is None or ms >= PROMPT_MS):
            self._tell_blocked(seen.prompt)

    def keep_from_typing(self, seen: Judgement) -> None:
        """An instruction waits, and this screen does not take it: a person is shown why."""
        if seen.prompt is not None:
            self.consider(seen, UNKNOWN_MS)
        elif self._actor.row.blocked != seen.text:
            self._tell_blocked(self._unknown(seen))

    def _unknown(self, seen: Judgement) -> Prompt:
        """What a person is shown where no question is known."""
        return Prompt("unreadable" if self._actor.unreadable else "unrecognised", seen.text, [])

    def is_unrecognised(self, seen: Judgement) -> bool:
        """Whether a quiet screen is nothing the profile knows. A working program may look like
        that where the profile does not say how it looks when it is busy."""
        profile = self._actor.profile
        known = seen.ready or seen.busy or seen.prompt is not None or not seen.text.strip()
        hidden = profile.busy or not self._actor.row.ready or self._actor.unreadable
        return not known and bool(hidden)

    def _tell_blocked(self, prompt: Prompt) -> None:
        actor, row = self._actor, self._actor.row
        fact = TerminalBlocked(
            address=actor.at,
            incarnation=row.incarnation,
            prompt=prompt.name,
            choices=prompt.choices,
            text=prompt.text,
        )
        expect = {"incarnation": row.incarnation, "blocked": row.blocked}
        actor.store([Update("terminal", actor.at, {"blocked": prompt.text}, expect), fact])

    def _resume(self) -> None:
        actor, row = self._actor, self._actor.row
        expect = {"incarnation": row.incarnation, "blocked": row.blocked, "stalled": row.stalled}
        fact = TerminalResumed(address=actor.at, incarnation=row.incarnation)
        sets = {"blocked": "", "stalled": False}
        actor.store([Update("terminal", actor.at, sets, expect), fact])

    def stalled(self, seconds: float) -> None:
        """Silent too long: said, and one polite nudge is typed; then only shown."""
        actor, row = self._actor, self._actor.row
        if row.stalled or row.blocked:
            return
        seen = actor.judge()
        fact = TerminalStalled(
            address=actor.at, incarnation=row.incarnation, seconds=seconds, screen=seen.text
        )
        expect = {"incarnation": row.incarnation, "stalled": False}
        stored = actor.store([Update("terminal", actor.at, {"stalled": True}, expect), fact])
        if stored and not seen.busy:
            with suppress(Unreadable):
                writes = actor.read_screen(writes_for, NUDGE)
                key = f"{row.incarnation}:{row.step}:nudge".encode()
                actor.session.do(lambda link: link.type(key, writes))

    def answered_by_person(self, message: Answer) -> None:
        """`answer T CHOICE`: by label, on the screen as it is now."""
        stage, seen = self._actor.stage, self._actor.judge()
        refusal = ""
        if self._answer is not None:
            refusal = f"{self._actor.at} is being answered: {self._answer.label}"
        elif seen.prompt is None:
            refusal = f"{self._actor.at} asks nothing now that has choices"
            refusal = f"{self._actor.at} {self._actor.unreadable}" if seen.end < 0 else refusal
        if refusal:
            stage.replies.refuse(message.client, message.id, illegal("not_blocked", refusal))
            return
        self._answer = _Answer(message.choice, message.caller, message.client, message.id)
        self._actor.later("answer", ANSWER_SECONDS)
        self._go_on(seen)

    def too_late(self) -> None:
        """An answer has had its time; whoever waits for it is told."""
        self._pressing = b""
        self._give_up(f"the screen of {self._actor.at} does not come to rest; look at it again")

    def _go_on(self, seen: Judgement) -> None:
        """One step towards the answer. Looked at again after each move of the marker, because
        lists differ in how they take keys (hazard 33)."""
        actor, answer = self._actor, self._answer
        assert answer is not None
        try:
            step = actor.read_screen(step_towards, answer.label)
        except (NoSuchChoice, Unreadable) as error:
            self._give_up(str(error))
            return
        if not step.moves:
            self._last = _asked(seen.prompt) if seen.prompt else None
            self._take(answer, step)
        elif answer.steps < STEPS:
            answer.steps += 1
            self._press(f"{actor.row.incarnation}:move:{step.end}:{answer.steps}", step)
        else:
            self._answered = step.end
            self._give_up(f"the marker does not go to {answer.label!r}; nothing was chosen")
            if seen.prompt is not None and actor.row.blocked != seen.prompt.text:
                self._tell_blocked(seen.prompt)

    def _take(self, answer: _Answer, step: Step) -> None:
        """The key is the question's place in the output, so that it is answered once."""
        actor, row = self._actor, self._actor.row
        fact = TerminalAnswered(
            address=actor.at,
            incarnation=row.incarnation,
            choice=answer.label,
            by=answer.caller.by,
            peer=answer.caller.peer,
        )
        expect = {"incarnation": row.incarnation, "blocked": row.blocked}
        actor.store([Update("terminal", actor.at, {"blocked": ""}, expect), fact])
        self._press(f"{row.incarnation}:answer:{step.end}", step)
        self._answer, self._answered = None, step.end
        actor.cancel("answer")
        if not row.ready:
            actor.launch.expect_ready()
        if answer.client:
            actor.stage.replies.reply(answer.client, answer.id, {"answered": answer.label})

    def _press(self, key: str, step: Step) -> None:
        self._pressing = pressed = key.encode()
        self._actor.session.do(lambda link: link.type(pressed, step.writes))

    def pressed(self, key: bytes) -> None:
        """The host has typed it: the next quiet screen shows what it did."""
        if key == self._pressing:
            self._pressing = b""
            self._actor.listen()

    def reconnected(self) -> None:
        """What was on its way may have been lost with the link; the screen tells."""
        self._pressing = b""

    def _give_up(self, why: str) -> None:
        """The answer was not given; the person who asked for it is told."""
        answer, self._answer = self._answer, None
        self._actor.cancel("answer")
        if answer is not None and answer.client:
            self._actor.stage.replies.refuse(
                answer.client, answer.id, illegal("no_such_choice", why)
            )
