"""Starting a child, and waiting until it has started. Runs in the supervisor's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from actors.supervision.context import Context
from actors.supervision.errors import (
    AddressTaken,
    StartFailed,
    StartInterrupted,
    StartTimeout,
    one_line,
)
from actors.supervision.events import ChildRestarted, ChildStarted
from actors.supervision.life import Life
from actors.supervision.mailbox import Mailbox
from actors.supervision.record import ChildRecord, State
from actors.supervision.spec import ChildSpec
from actors.supervision.stopping import stop_together


def start(
    child: ChildRecord,
    parent: Life | None,
    context: Context,
    on_end: Callable[[ChildRecord, Life], None],
    *,
    again: bool = False,
) -> Life:
    """Start the child, and wait until it has started. Raise `StartFailed` if it does not.

    `parent` is the supervisor's life. The child's thread calls `on_end` as the last thing it does.
    `again` says that this is a restart.
    """
    life = _new_life(child, parent, context, on_end)
    try:
        if not child.is_supervisor:
            context.directory.register(child.address, child.mailbox)
        life.mailbox.hand_to(life)
        life.begin(_maker(child, context))
    except (AddressTaken, RuntimeError) as error:  # RuntimeError: the system gives no thread
        _fail(child, life, error, context)
    _await(child, life, parent, context)
    child.state = State.RUNNING
    child.restarts += again
    event = ChildRestarted if again else ChildStarted
    context.emit(event(address=life.address, incarnation=life.incarnation))
    return life


def _new_life(
    child: ChildRecord,
    parent: Life | None,
    context: Context,
    on_end: Callable[[ChildRecord, Life], None],
) -> Life:
    child.incarnation = context.next_incarnation(child.address)
    child.state = State.STARTING
    child.retry_at = None
    child.life = Life(
        child.address,
        child.incarnation,
        # Calls belong to one incarnation of a supervisor; mail belongs to an address.
        Mailbox(child.address) if child.is_supervisor else child.mailbox,
        parent=parent,
        supervisor=child.parent,
        on_end=lambda life: on_end(child, life),
        on_dead_letter=lambda life, item, error: context.dead_letter(child, life, item, error),
        on_busy=None if child.is_supervisor else context.on_busy,
    )
    return child.life


def _maker(child: ChildRecord, context: Context) -> Callable[[], object]:
    if isinstance(child.spec, ChildSpec):
        return child.spec.start
    return lambda: context.make_supervisor(child, context)


def _await(child: ChildRecord, life: Life, parent: Life | None, context: Context) -> None:
    """Wait until the start has worked, failed or timed out, or the supervisor is to stop."""
    if parent is not None:
        parent.interrupt = life.started.set
    if parent is None or not parent.stop_ordered:
        life.started.wait(child.spec.start_timeout)
    if parent is not None:
        parent.interrupt = None
    if life.ready:
        return
    if life.end is not None:
        life.done.wait()
        _fail(child, life, life.error or StartInterrupted(child.address), context)
    stop_together([child], context)
    if parent is not None and parent.stop_ordered:
        _fail(child, life, StartInterrupted(child.address), context)
    _fail(child, life, StartTimeout(f"after {child.spec.start_timeout} s"), context)


def _fail(child: ChildRecord, life: Life, error: BaseException, context: Context) -> NoReturn:
    child.ended()
    child.last_error = one_line(error)
    context.emit_failed(life, error)
    raise StartFailed(child.address, error) from error
