"""The rows of questions to the orchestrator, and what gives cause to one."""

from typing import Any

import msgspec

from bus.kinds import CauseKind
from bus.status import OPEN_QUESTION, QuestionStage

ESCALATE = "escalate"
"""The action of a proposal that puts a question to a person."""


class Cause(msgspec.Struct, frozen=True):
    """One thing that happened, for a question to the orchestrator.

    `said` is text of a program or a commit, cut to a few hundred characters; of `ask` it is a
    person's, and whole.
    """

    kind: CauseKind
    address: str
    said: str = ""


class Question(msgspec.Struct, kw_only=True):
    """One question to the orchestrator; a workflow has at most one that is open.

    `digest` stands for the causes and the state. `reserved` tokens are kept back until the call has
    ended; then `tokens` says what it used. `cut` says that the call was cut short. `refused` is why
    the proposal was not carried out, and the next question tells it. `at` is when it was asked.
    `proposal` is what waits for a person: the answer to a person's question while it is not carried
    out, or an `escalate` on which no person has acted; else it is empty.
    """

    number: int
    stage: QuestionStage
    causes: list[Cause] = []
    digest: str = ""
    reserved: int = 0
    tokens: int = 0
    cut: bool = False
    refused: str = ""
    at: str = ""
    proposal: dict[str, Any] = {}

    @property
    def of_person(self) -> bool:
        """Whether a person asked it, who alone has its proposal carried out."""
        return any(cause.kind == CauseKind.ASK for cause in self.causes)

    @property
    def escalated(self) -> bool:
        """Whether a person is to decide what `proposal` says, and has not acted since."""
        return self.proposal.get("action") == ESCALATE

    @property
    def sums_up(self) -> bool:
        """Whether it asks how a workflow that is over went; its answer changes nothing."""
        return any(cause.kind == CauseKind.SUMMARY for cause in self.causes)

    @property
    def is_open(self) -> bool:
        """Whether the next question has to wait for this one."""
        return self.stage in OPEN_QUESTION
