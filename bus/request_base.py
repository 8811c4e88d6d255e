"""The bases of all requests."""

from typing import Annotated, ClassVar, Generic, TypeVar

import msgspec

R = TypeVar("R")

Id = str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None
"""The id that a client chooses for a request: one value that JSON and msgpack can hold."""


class Request(
    msgspec.Struct, Generic[R], tag_field="type", kw_only=True, forbid_unknown_fields=True
):
    """Base of all requests.

    The reply repeats `id`. `R` is the type of the result. `patience` is for how many seconds a
    client should wait for the answer.
    """

    patience: ClassVar[float] = 60.0

    id: Id = None


class OfWorkflow(Request[R], Generic[R], kw_only=True):
    """A request about a workflow: its id, its address, or a unique prefix of its id."""

    workflow: str


class OfTask(Request[R], Generic[R], kw_only=True):
    """A request about a task: its address, or that of one of its terminals."""

    task: str


class OfTerminal(Request[R], Generic[R], kw_only=True):
    """A request about a terminal, named by its address."""

    terminal: str
