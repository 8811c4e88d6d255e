"""The tree as plain data, read from the records without asking an actor.

Reading works while actors are stuck, and costs them nothing. Each value was true at some moment
during the reading; the values are not from one common moment.
"""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from actors.supervision.life import Life
from actors.supervision.record import ChildRecord
from actors.supervision.spec import DynamicSpec, SupervisorSpec


class Node(msgspec.Struct, frozen=True):
    """One actor. Times are in seconds.

    `state` is a value of `State`, `restart` a value of `Restart`. `strategy` is a value of
    `Strategy`, `dynamic`, or None for a worker. `incarnation` counts all starts, also those that
    failed. `restarts` counts the starts that worked, without the first start and without those
    ordered by a call. `handled` of a supervisor counts calls and ends of children. `uptime` is None
    unless the actor runs, `next_start_in` is None unless it is `restarting`. `doing` is what it
    does now. If it has been doing that for too long, `stuck` says how long and `stack` where.
    """

    id: str
    address: str
    kind: Literal["worker", "supervisor"]
    strategy: str | None
    restart: str
    state: str
    incarnation: int
    restarts: int
    last_error: str | None
    mailbox_depth: int
    handled: int
    dead_letters: int
    abandoned: int
    uptime: float | None
    next_start_in: float | None
    doing: str | None
    stuck: float | None
    stack: str | None
    children: tuple[Node, ...]


def snapshot(record: ChildRecord, stuck_after: float) -> Node:
    """Return the record and all below it as data. Any thread."""
    life, retry_at = record.life, record.retry_at
    mailbox = life.mailbox if life is not None else record.mailbox
    now = time.monotonic()
    stuck = _stuck(record, life, stuck_after, now)
    return Node(
        id=record.spec.id,
        address=record.address,
        kind="supervisor" if record.is_supervisor else "worker",
        strategy=_strategy(record),
        restart=record.spec.restart.value,
        state=record.state.value,
        incarnation=record.incarnation,
        restarts=record.restarts,
        last_error=record.last_error,
        mailbox_depth=mailbox.depth,
        handled=mailbox.handled,
        dead_letters=record.dead_letter_count,
        abandoned=sum(not old.done.is_set() for old in record.abandoned),
        uptime=now - life.began if life is not None and life.ready else None,
        next_start_in=max(0.0, retry_at - now) if retry_at is not None else None,
        doing=life.doing if life is not None else None,
        stuck=stuck,
        stack=life.stack() if life is not None and stuck is not None else None,
        children=tuple(snapshot(child, stuck_after) for child in list(record.children.values())),
    )


def _stuck(record: ChildRecord, life: Life | None, limit: float, now: float) -> float | None:
    since = life.busy_since if life is not None else None
    if since is None or record.is_supervisor or now - since < limit:
        return None
    return now - since


def _strategy(record: ChildRecord) -> str | None:
    if isinstance(record.spec, SupervisorSpec):
        return record.spec.strategy.value
    return "dynamic" if isinstance(record.spec, DynamicSpec) else None
