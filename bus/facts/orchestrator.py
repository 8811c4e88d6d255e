"""Facts about the orchestrator: what it was asked, what it answered, and what became of that."""

from typing import Any

from bus.facts.base import Fact
from bus.peer import By


class OrchestratorAsked(Fact, kw_only=True, tag="orchestrator.asked"):
    """The question with this number was put to `model`.

    `causes` says what happened, or what a person asks. `prompt` is the SHA-256 of the whole text,
    and `tokens` is what was reserved.
    """

    question: int
    causes: list[str]
    model: str
    prompt: str
    tokens: int


class OrchestratorAnswered(Fact, kw_only=True, tag="orchestrator.answered"):
    """A question was answered with `proposal`, or `error` says why there is none.

    `proposal` holds `action` and its fields; it is empty without an answer. `refused` says why this
    machine cannot do it. `tokens_in` and `tokens_out` are of all attempts; unless `exact` some are
    estimates. `seconds` is how long it took, and `cost` is by the plan's prices. With `cut` the
    call was cut short, and counts as if it had used all that was reserved. With `spent` no call was
    made, because the night's budget does not hold it.
    """

    observed = True

    question: int
    model: str = ""
    proposal: dict[str, Any] = {}
    refused: str = ""
    error: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    exact: bool = True
    seconds: float = 0.0
    attempts: int = 0
    cost: float | None = None
    cut: bool = False
    spent: bool = False


class OrchestratorActed(Fact, kw_only=True, tag="orchestrator.acted"):
    """What became of a proposal: it was `accepted` and carried out, or `said` says why not.

    `about` is the address that it concerns. An `escalate` asks a person `said`, with `choices`.
    `by` and `peer` are as in `WorkflowMoved`: a person who accepts the proposal of the answer to
    this question, or the orchestrator itself.
    """

    question: int
    action: str
    about: str = ""
    accepted: bool
    said: str = ""
    choices: list[str] = []
    by: By = By.RUNTIME
    peer: str = ""
