"""Child specifications: what a supervisor is to start, as plain data.

SupervisorSpec(
    "runtime",
    strategy=Strategy.REST_FOR_ONE,
    children=(
        worker("publisher", Publisher, endpoint),
        DynamicSpec("workflows"),
        worker("gateway", Gateway, restart=Restart.TRANSIENT, shutdown=10),
    ),
)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from actors.supervision.actor import Actor
from actors.supervision.backoff import NO_BACKOFF, Backoff


class Restart(Enum):
    """When a child that has ended is started again."""

    PERMANENT = "permanent"
    """Always. For what the rest cannot do without."""

    TRANSIENT = "transient"
    """Only after a failure. For work that may be finished."""

    TEMPORARY = "temporary"
    """Never; the supervisor forgets it when it ends. For what is started again by its owner."""


class Strategy(Enum):
    """Which children are started again when one of them is."""

    ONE_FOR_ONE = "one_for_one"
    """Only that child. For children that do not need each other."""

    ONE_FOR_ALL = "one_for_all"
    """All children. For children that share a state none of them can lose alone."""

    REST_FOR_ONE = "rest_for_one"
    """That child and those started after it. For children that build on the earlier ones."""


@dataclass(frozen=True)
class ChildSpec:
    """A worker.

    `start` makes the actor; it runs in the actor's new thread.
    `shutdown` is how many seconds an ordered stop may take before the actor is abandoned: None
    waits for ever, 0 does not wait at all.
    `start_timeout` limits `__init__` and `on_start` together; None waits for ever, as OTP does.
    `address` is the parent's address, the id and a slash, unless given.
    `backoff` is what the supervisor's `children_backoff` says, unless given.
    """

    id: str
    start: Callable[[], Actor]
    restart: Restart = Restart.PERMANENT
    shutdown: float | None = 5.0
    start_timeout: float | None = None
    address: str | None = None
    backoff: Backoff | None = None

    def __post_init__(self) -> None:
        _check_child(self.id, self.shutdown)


@dataclass(frozen=True)
class AnySupervisorSpec:
    """What the two kinds of supervisors have in common.

    More than `intensity` restarts within `period` seconds make it give up. `backoff` is for the
    supervisor itself as a child of its parent, `children_backoff` for its children.
    """

    id: str
    intensity: int = 1
    period: float = 5.0
    restart: Restart = Restart.PERMANENT
    shutdown: float | None = None
    start_timeout: float | None = None
    address: str | None = None
    backoff: Backoff | None = None
    children_backoff: Backoff = NO_BACKOFF

    def __post_init__(self) -> None:
        _check_child(self.id, self.shutdown)
        if self.intensity < 0 or self.period <= 0:
            raise ValueError(f"{self.id}: intensity must be >= 0 and period > 0")


@dataclass(frozen=True)
class DynamicSpec(AnySupervisorSpec):
    """A supervisor of many like children, started on demand and stopped all at once."""


@dataclass(frozen=True)
class SupervisorSpec(AnySupervisorSpec):
    """A supervisor of the children listed, in start order; more can be added later."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    children: tuple[Spec, ...] = field(default=())

    def __post_init__(self) -> None:
        super().__post_init__()
        ids = [child.id for child in self.children]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"{self.id}: more than one child is called {', '.join(twice)}")


Spec: TypeAlias = ChildSpec | DynamicSpec | SupervisorSpec


def worker(
    id: str,
    make: Callable[..., Actor],
    *args: Any,
    restart: Restart = Restart.PERMANENT,
    shutdown: float | None = 5.0,
    start_timeout: float | None = None,
    address: str | None = None,
    backoff: Backoff | None = None,
) -> ChildSpec:
    """A worker that `make(*args)` makes; `make` is usually an `Actor` class."""
    start = functools.partial(make, *args)
    return ChildSpec(id, start, restart, shutdown, start_timeout, address, backoff)


def _check_child(id: str, shutdown: float | None) -> None:
    if not id or "/" in id:
        raise ValueError(f"a child id is a non-empty word without '/', not {id!r}")
    if shutdown is not None and shutdown < 0:
        raise ValueError(f"{id}: shutdown must be >= 0 seconds, or None")
