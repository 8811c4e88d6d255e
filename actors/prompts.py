"""Prompts and silence: a question that waits is answered by policy where the profile knows
it and the plan allows it; any other is shown to a person within seconds. Neither a question
nor silence ever completes or ends anything (hazards 17, 32, 33).
"""

from typing import TYPE_CHECKING

from actors.clis.judging import Judgement, writes_for, writes_for_choice
from actors.clis.keys import NoSuchChoice
from actors.clis.recognise import Prompt, answer_policy
from bus.errors import illegal
from bus.facts import TerminalAnswered, TerminalBlocked, TerminalResumed, TerminalStalled
from bus.messages import Answer
from store.change import Update

if TYPE_CHECKING:
    from actors.terminal import TerminalActor

NUDGE = (
    "You have been silent for a while. If your work is complete, commit it as you were told; "
    "if you cannot go on, say so in a commit with #fail; otherwise go on."
)


class Prompts:
    """The part of a terminal actor that looks for questions. In the actor's thread."""

    def __init__(self, actor: "TerminalActor") -> None:
        self._actor = actor
        self.frozen: bool | None = False
        self.forget()

    def forget(self) -> None:
        self._answers = 0
        self.frozen = False

    def consider(self, seen: Judgement) -> None:
        """A quiet screen: does it ask something, or does it not any more?"""
        row = self._actor.row
        if seen.prompt is None:
            if row.blocked or row.stalled:
                self._resume()
            return
        label = answer_policy(self._actor.asked.auto_confirm, seen.prompt)
        if label is not None:
            self._choose(label, "policy", seen.end)
        elif row.blocked != seen.prompt.text:
            self._tell_blocked(seen.prompt)

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
            writes = actor.stage.screens.call(
                writes_for, actor.profile, actor.directory, *actor.size, NUDGE
            )
            key = f"{row.incarnation}:{row.step}:nudge".encode()
            actor.session.do(lambda link: link.type(key, writes))

    def answered_by_person(self, message: Answer) -> None:
        """`answer T CHOICE`: by label, on the screen as it is now."""
        stage, seen = self._actor.stage, self._actor.judge()
        if seen.prompt is None:
            error = illegal("not_blocked", f"{self._actor.at} asks nothing now")
            stage.refuse(message.client, message.id, error)
            return
        try:
            self._choose(message.choice, "person", seen.end)
        except NoSuchChoice as error:
            stage.refuse(message.client, message.id, illegal("no_such_choice", str(error)))
            return
        stage.reply(message.client, message.id, {"answered": message.choice})

    def _choose(self, label: str, by: str, offset: int) -> None:
        """Raises `NoSuchChoice`. The key is the question's place in the output, so that one
        question is answered once."""
        actor, row = self._actor, self._actor.row
        writes = actor.stage.screens.call(
            writes_for_choice, actor.profile, actor.directory, *actor.size, label
        )
        key = f"{row.incarnation}:answer:{offset}".encode()
        fact = TerminalAnswered(address=actor.at, incarnation=row.incarnation, choice=label, by=by)
        expect = {"incarnation": row.incarnation, "blocked": row.blocked}
        actor.store([Update("terminal", actor.at, {"blocked": ""}, expect), fact])
        actor.session.do(lambda link: link.type(key, writes))
        if not row.ready:
            actor.expect_ready()
