"""Requests of a person to the model of a plan's `[orchestrator]`."""

from typing import Annotated

import msgspec

from bus import results
from bus.request_base import OfWorkflow


class OrchestratorAsk(OfWorkflow[results.CommandDone], kw_only=True, tag="orchestrator.ask"):
    """Put a question or an order to the orchestrator's model.

    The newest of the row's `questions` is this one. What the model proposes is carried out by
    `OrchestratorAccept` alone.
    """

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000, pattern=r"\S")]


class OrchestratorAccept(OfWorkflow[results.CommandDone], kw_only=True, tag="orchestrator.accept"):
    """Carry out what the model proposed when a person asked it the question with this number."""

    question: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
