"""Stopping children, and abandoning those that do not stop. Runs in the supervisor's thread."""

from __future__ import annotations

import time
from collections.abc import Sequence

from actors.supervision.context import Context
from actors.supervision.errors import one_line
from actors.supervision.events import Abandoned, ChildStopped
from actors.supervision.life import End, Life
from actors.supervision.mailbox import refuse
from actors.supervision.record import ChildRecord, State
from actors.supervision.ref import refuse_calls


class DidNotStop(Exception):
    """The actor handled the item when it did not stop in time and was abandoned."""


def stop_together(children: Sequence[ChildRecord], context: Context) -> None:
    """Order all children to stop, then wait for each. Abandon those that exceed their limit."""
    ordered_at = time.monotonic()
    for child in children:
        if child.life is not None:
            child.state = State.STOPPING
            child.life.order_stop()
    for child in children:
        life = child.life
        in_time = life is None or life.done.wait(_left(child.spec.shutdown, ordered_at))
        if not in_time:
            abandon(child, context)
        child.ended()
        if life is not None and in_time:
            report_end(child, life, context)


def report_end(child: ChildRecord, life: Life, context: Context) -> None:
    """Report how a life ended, and keep its error if it failed."""
    if life.error is not None:
        child.last_error = one_line(life.error)
        context.emit_failed(life, life.error)
    else:
        reason = (life.end or End.NORMAL).value
        context.emit(
            ChildStopped(address=life.address, incarnation=life.incarnation, reason=reason)
        )


def abandon(child: ChildRecord, context: Context) -> None:
    """Fence the child and all below it, and wait for them no longer."""
    below = list(child.walk())
    for record in below:
        if record.life is not None:
            _abandon_one(record, record.life, context)
    if child.is_supervisor:
        # Its thread may go on and write into the records it has.
        child.children = {key: r.detached_copy(child) for key, r in child.children.items()}


def _abandon_one(record: ChildRecord, life: Life, context: Context) -> None:
    stack, item, actor = life.stack(), life.current, life.actor
    life.abandon()
    still_there = [old for old in record.abandoned if not old.done.is_set()]
    record.abandoned = [*still_there, life]
    context.emit(Abandoned(address=life.address, incarnation=life.incarnation, stack=stack))
    if record.is_supervisor:
        refuse_calls(life.mailbox)
    elif item is not None:
        error = DidNotStop(life.address)
        refuse(item, f"{life.address} was abandoned while it handled the message")
        context.dead_letter(record, life, item, error)
        if actor is not None:
            context.notifier.post(lambda: actor.on_dead_letter(item, error))


def _left(limit: float | None, since: float) -> float | None:
    return None if limit is None else max(0.0, since + limit - time.monotonic())
