"""Child specifications: what a supervisor starts, as plain data.

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
from enum import Enum
from typing import Any, TypeAlias

import msgspec
import pykka

from actors.supervision.backoff import NO_BACKOFF, Backoff


class Restart(Enum):
    """When a child that has ended is restarted."""

    PERMANENT = "permanent"
    """Always. For children that the others need."""

    TRANSIENT = "transient"
    """Only after a failure. For work that comes to an end."""

    TEMPORARY = "temporary"
    """Never. The supervisor deletes it when it ends. For children that their user restarts."""


class Strategy(Enum):
    """Which children are restarted together with one that is restarted."""

    ONE_FOR_ONE = "one_for_one"
    """None. For children that do not depend on each other."""

    ONE_FOR_ALL = "one_for_all"
    """All children. For children that share state that none of them can rebuild alone."""

    REST_FOR_ONE = "rest_for_one"
    """Those started after it. For children that depend on the earlier ones."""


class ChildSpec(msgspec.Struct, frozen=True):
    """A worker.

    `start` makes the actor, an `actors.supervision.Actor`. It runs in the actor's new thread.
    `shutdown` limits an ordered stop, in seconds; the actor is abandoned after that. None sets no
    limit, 0 abandons at once. 5 is OTP's value for workers.
    `start_timeout` limits `__init__` and `on_start` together, in seconds. None sets no limit.
    `address` is by default the parent's address, the id and a slash.
    `backoff` is by default the `children_backoff` of the supervisor.
    """

    id: str
    start: Callable[[], pykka.ThreadingActor]
    restart: Restart = Restart.PERMANENT
    shutdown: float | None = 5.0
    start_timeout: float | None = None
    address: str | None = None
    backoff: Backoff | None = None

    def __post_init__(self) -> None:
        _check_child(self.id, self.shutdown)


class AnySupervisorSpec(msgspec.Struct, frozen=True):
    """The fields that both kinds of supervisors have.

    The supervisor gives up after more than `intensity` restarts within `period` seconds. `backoff`
    delays restarts of the supervisor itself, `children_backoff` those of its children. `shutdown`
    should be None, so that the supervisor can stop all its children.
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


class DynamicSpec(AnySupervisorSpec, frozen=True):
    """A supervisor of many similar children, started on demand and stopped together."""


class SupervisorSpec(AnySupervisorSpec, frozen=True):
    """A supervisor of `children`, in start order. `start_child` can add more."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    children: tuple[Spec, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        ids = [child.id for child in self.children]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"{self.id}: more than one child has the id {', '.join(twice)}")


Spec: TypeAlias = ChildSpec | DynamicSpec | SupervisorSpec


def worker(
    id: str,
    make: Callable[..., pykka.ThreadingActor],
    *args: Any,
    restart: Restart = Restart.PERMANENT,
    shutdown: float | None = 5.0,
    start_timeout: float | None = None,
    address: str | None = None,
    backoff: Backoff | None = None,
) -> ChildSpec:
    """Return the spec of a worker that `make(*args)` makes. `make` is usually an `Actor` class."""
    start = functools.partial(make, *args)
    return ChildSpec(id, start, restart, shutdown, start_timeout, address, backoff)


def _check_child(id: str, shutdown: float | None) -> None:
    if not id or "/" in id:
        raise ValueError(f"a child id is a non-empty word without '/', not {id!r}")
    if shutdown is not None and shutdown < 0:
        raise ValueError(f"{id}: shutdown must be >= 0 seconds, or None")
