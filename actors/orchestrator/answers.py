"""What a model's API is to the ladder: forms of a request, and a reader of its answer."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from actors.orchestrator.failures import Failure, Next
from actors.orchestrator.thoughts import Endpoint, Thought

MOST_TOKENS = 10**9
"""A server that tells of more tokens than this is not believed."""

T = TypeVar("T")


class Form(StrEnum):
    """How the arguments are asked for, the strictest first."""

    STRICT = "strict"
    """A forced tool, named as an object, whose arguments the server holds to the schema."""
    PLAIN = "plain"
    """A forced tool without `strict`, in the oldest form that servers know."""
    SCHEMA = "schema"
    """No tool: an answer in JSON that the server holds to the schema."""
    TEXT = "text"
    """No tool and no schema: the schema stands in the prompt."""


def in_text(thought: Thought) -> str:
    """Return the system prompt for a model that is offered no tool."""
    schema = msgspec.json.encode(thought.schema).decode()
    return (
        f"{thought.system}\n\nAnswer with one JSON object and nothing else: no other text and no "
        f"fence around it. It must fit this JSON schema:\n{schema}"
    )


def count(value: Any) -> int | None:
    """Return a number of tokens that a server told; None if that cannot be one."""
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return value if is_one else None


def decode(decoder: Callable[[bytes], T], data: bytes) -> T:
    """Decode a part of an answer. Raise `Failure` if it is not what the API promises."""
    try:
        return decoder(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        reason = f"the answer is not what this API promises: {error}"
        raise Failure(reason, Next.OTHER_ENDPOINT) from None


class Reader(ABC):
    """Reads one answer, as a stream of events or as one document.

    `arguments` is the text of the tool's arguments, None if it was not called. `text` is what was
    said beside it. `done` says that the answer is whole, `closed` that nothing follows. `cut` is
    why the model stopped too early, "" if it did not. `tokens_in` and `tokens_out` are None until
    the server tells them.
    """

    def __init__(self) -> None:
        self.arguments: str | None = None
        self.text = ""
        self.model = ""
        self.done = False
        self.closed = False
        self.cut = ""
        self.tokens_in: int | None = None
        self.tokens_out: int | None = None

    @abstractmethod
    def event(self, data: bytes) -> None:
        """Take the data of one event of a stream. Raise `Failure`."""

    @abstractmethod
    def whole(self, data: bytes) -> None:
        """Take an answer that is not streamed. Raise `Failure`."""


class Api(ABC):
    """One protocol. Pure: no method asks anybody."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    @abstractmethod
    def forms(self, schema: dict[str, Any]) -> tuple[Form, ...]:
        """Return the forms that this API has for the schema, the strictest first."""

    @abstractmethod
    def url(self) -> str:
        """Return the address of requests."""

    @abstractmethod
    def headers(self) -> dict[str, str]:
        """Return the headers that carry the key."""

    @abstractmethod
    def body(
        self, thought: Thought, form: Form, question: str, *, with_usage: bool = True
    ) -> dict[str, Any]:
        """Return the request as JSON.

        Without `with_usage` a server that tells its tokens only if asked is not asked for them.
        """

    @abstractmethod
    def reader(self, tool: str) -> Reader:
        """Return a reader for one answer, in which this tool may be called."""


def error_text(error: Any) -> str:
    """Return what an error says: `{"message": …}`, or whatever else stands there."""
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return str(error["message"])
    return str(error)
