"""What the orchestrator and its process say to each other.

The process (`python -m actors.orchestrator.process`) reads one JSON line per `Thought`. For each it
writes one line per `Thinking`, and then exactly one `ThoughtOver`. Lines of several thoughts may
alternate.
"""

from typing import Any, Literal

import msgspec

ApiType = Literal["openai", "anthropic", "openai-compatible", "anthropic-compatible"]
"""Which protocol an endpoint speaks. A compatible one may lack parts of it."""

Rung = Literal["tool", "schema", "repair", "none"]
"""How the arguments were got: by a forced tool, by a JSON schema or JSON in text, after one repair
with the error, or not at all."""


class Endpoint(msgspec.Struct, frozen=True):
    """A model that may be asked. "" as `base_url` is the vendor's own address.

    The key is only in the actor's memory, the pipe and the process: never in a fact, a log or a
    row. `repr` leaves it out.
    """

    api_type: ApiType
    base_url: str
    model: str
    key: str

    def __repr__(self) -> str:
        """Name the endpoint without its key."""
        return f"Endpoint({self.api_type!r}, {self.base_url!r}, {self.model!r})"


class Thought(msgspec.Struct, frozen=True, tag=True):
    """A question to a model, which is to be answered with one call of the tool.

    `endpoints` are asked in this order until one answers. `schema` is a JSON schema of an object,
    flat and without `$ref`. `max_tokens` limits each answer. `timeout` is in seconds, for all
    attempts together.
    """

    id: str
    endpoints: tuple[Endpoint, ...]
    system: str
    question: str
    schema: dict[str, Any]
    max_tokens: int
    timeout: float
    tool: str = "decide"


class Thinking(msgspec.Struct, frozen=True, tag=True):
    """An attempt that is about to be sent to the endpoint with this index.

    `tokens_in` is an estimate of what the attempt reads. A call that is cut afterwards is counted
    as spent: this, and `max_tokens` of the thought.
    """

    id: str
    endpoint: int
    tokens_in: int


class ThoughtOver(msgspec.Struct, frozen=True, tag=True):
    """How a thought ended. `arguments` is an object that fits the schema, or None.

    `error` says why there are no arguments, without any key. `tokens_in` and `tokens_out` are the
    sums of all attempts; `exact` says whether the servers told them all, otherwise some are
    estimates. `seconds` is from the first attempt to the end, `attempts` how many were sent,
    `model` the model that gave the arguments, and `endpoint` the index of the last one asked.
    """

    id: str
    arguments: dict[str, Any] | None
    rung: Rung
    model: str
    tokens_in: int
    tokens_out: int
    exact: bool
    seconds: float
    attempts: int
    error: str = ""
    endpoint: int = 0


Said = Thinking | ThoughtOver
"""What the process writes."""
