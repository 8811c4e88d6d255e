"""The plan's `[orchestrator]`: a model that is asked when something happened, and proposes."""

from typing import Annotated, Literal

import msgspec

from bus.model_address import fault
from bus.plan_lines import Path
from bus.plan_problems import Problem

Text = Annotated[str, msgspec.Meta(min_length=1)]
Tokens = Annotated[int, msgspec.Meta(ge=1_000, le=10**12)]
Price = Annotated[float, msgspec.Meta(ge=0, le=1e9)]

May = Literal[
    "instruct", "add_task", "add_terminal", "send_back", "answer", "retry", "use_provider", "blame"
]  # fmt: skip
"""What a plan can allow. `escalate` and `nothing` are always allowed."""


SAFE: tuple[May, ...] = ("send_back", "retry", "blame")
"""What is allowed unless the plan says otherwise: nothing that puts new words to an agent."""


class ThinkingCaps(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How many tokens the orchestrator may use: for one question, a workflow, and 24 hours.

    The 24 hours count the questions of all workflows of the home.
    """

    decision: Tokens = 40_000
    workflow: Tokens = 1_000_000
    night: Tokens = 3_000_000


class Orchestrator(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The model of the orchestrator, and what it may do and use.

    `api_key_env` names the variable with its key; "" asks without a key. `fallback` names providers
    that are asked in this order when it does not answer; they speak the same `api_type`. Prices are
    for a million tokens.
    """

    api_type: Literal["openai", "anthropic", "openai-compatible", "anthropic-compatible"]
    model: Text
    base_url: str = ""
    api_key_env: str = ""
    fallback: list[Text] = []
    may: list[May] = msgspec.field(default_factory=lambda: list(SAFE))
    max_calls: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    tokens: ThinkingCaps = msgspec.field(default_factory=ThinkingCaps)
    price_input: Price | None = None
    price_output: Price | None = None


def problems(orchestrator: Orchestrator | None) -> list[Problem]:
    """Return what the types of `[orchestrator]` do not exclude."""
    if orchestrator is None:
        return []
    found = []
    compatible = orchestrator.api_type.endswith("-compatible")
    if compatible and not orchestrator.base_url:
        path: Path = ("orchestrator", "base_url")
        found.append(Problem(path, f"api_type {orchestrator.api_type!r} needs an address"))
    if reason := fault(orchestrator.base_url):
        found.append(Problem(("orchestrator", "base_url"), reason))
    caps = orchestrator.tokens
    if not caps.decision <= caps.workflow <= caps.night:
        path = ("orchestrator", "tokens")
        found.append(Problem(path, "a question has at most what its workflow has, and that the "
                             "night's"))  # fmt: skip
    return found
