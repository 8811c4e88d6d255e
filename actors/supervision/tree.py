"""The root of a supervision tree: starting, stopping and inspecting a tree.

tree = start_tree(SupervisorSpec("runtime", children=(worker("counter", Counter),)))
tree.directory.deliver("runtime/counter/", Add(1))
print(tree.inspect())
tree.stop()
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from actors.supervision.backoff import RestartStore
from actors.supervision.context import Context
from actors.supervision.dynamic import DynamicSupervisor
from actors.supervision.errors import WouldDeadlock
from actors.supervision.events import Event
from actors.supervision.inspection import Node, snapshot
from actors.supervision.life import Life, current_life
from actors.supervision.mailbox import Directory
from actors.supervision.record import ChildRecord
from actors.supervision.ref import SupervisorRef, with_ancestors
from actors.supervision.spec import DynamicSpec, SupervisorSpec
from actors.supervision.starting import start
from actors.supervision.stopping import abandon
from actors.supervision.supervisor import Supervisor
from actors.supervision.watchdog import Watchdog

logger = logging.getLogger(__name__)

LAST_REPORTS = 1.0
"""Seconds that `on_give_up` waits for the events before it to be reported."""


def start_tree(
    spec: SupervisorSpec | DynamicSpec,
    *,
    on_event: Callable[[Event], object] | None = None,
    on_give_up: Callable[[str], object] | None = None,
    restart_store: RestartStore | None = None,
    directory: Directory | None = None,
    stuck_after: float = 30.0,
) -> Tree:
    """Start a tree, and wait until all its children have started. Raise `StartFailed`.

    `on_event` is called with every `Event`, in order, in the notifier's thread. `on_give_up` is
    called with the reason when the root has given up and everything below it has stopped, in the
    root's thread; it is the place to end the process. A message that takes longer than
    `stuck_after` seconds is reported.
    """
    directory = directory or Directory()
    return Tree(spec, on_event, on_give_up, restart_store, directory, stuck_after)


class Tree:
    """A running tree. Its methods may be called from any thread."""

    def __init__(
        self,
        spec: SupervisorSpec | DynamicSpec,
        on_event: Callable[[Event], object] | None,
        on_give_up: Callable[[str], object] | None,
        store: RestartStore | None,
        directory: Directory,
        stuck_after: float,
    ) -> None:
        self.directory = directory
        self._root = ChildRecord(spec, None)
        self._stuck_after = stuck_after
        self._on_give_up = on_give_up
        self._over = threading.Event()
        self._watchdog = Watchdog(self._root, stuck_after, lambda event: self._context.emit(event))
        self._context = Context(directory, on_event, store, self._watchdog.busy, make_supervisor)
        try:
            self._life = start(self._root, None, self._context, self._ended)
        except BaseException:
            self._close()
            raise

    @property
    def root(self) -> SupervisorRef:
        """The supervisor at the root."""
        return SupervisorRef(self._root)

    def supervisor(self, address: str) -> SupervisorRef:
        """Return the supervisor at the address. Raise `LookupError` if the tree has none there."""
        for record in self._root.walk():
            if record.is_supervisor and record.address == address:
                return SupervisorRef(record)
        raise LookupError(f"no supervisor at {address}")

    def inspect(self) -> Node:
        """Return the whole tree as plain data, without asking an actor or taking its locks."""
        return snapshot(self._root, self._stuck_after)

    def order_stop(self) -> None:
        """Order the tree to stop, without waiting."""
        self._life.order_stop()

    def stop(self, timeout: float | None = None) -> bool:
        """Stop all actors in reverse start order. Return whether they stopped in `timeout` seconds.

        Abandon the actors that still run then. Raise `WouldDeadlock` if an actor of this tree calls
        this; an actor can call `order_stop`.
        """
        if self._life in with_ancestors(current_life()):
            raise WouldDeadlock("an actor cannot wait for the end of its own tree")
        self._life.order_stop()
        in_time = self._life.done.wait(timeout)
        if not in_time:
            abandon(self._root, self._context)
            self._close()
            self._over.set()
        return in_time

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the tree has ended. Return whether it did in `timeout` seconds.

        If the root gave up, `on_give_up` has returned then.
        """
        return self._over.wait(timeout)

    def drain_events(self, timeout: float | None = None) -> bool:
        """Wait until `on_event` has returned for all events so far. Return whether it has."""
        return self._context.notifier.drain(timeout)

    def _ended(self, root: ChildRecord, life: Life) -> None:
        """Close the tree after its root has ended. Runs in the root's thread."""
        if not life.ready:
            return  # the start failed: `start_tree` raises
        root.ended()
        supervisor = life.actor
        assert isinstance(supervisor, Supervisor)
        reason = supervisor.gave_up
        if reason is None and life.error is not None:
            reason = f"{root.address} failed: {life.error!r}"
        self._close()
        if reason is not None:
            self._report_give_up(reason)
        self._over.set()

    def _report_give_up(self, reason: str) -> None:
        logger.error("%s", reason)
        if self._on_give_up is None:
            return
        self._context.notifier.drain(LAST_REPORTS)
        try:
            self._on_give_up(reason)
        except BaseException:
            logger.exception("on_give_up failed")

    def _close(self) -> None:
        self._root.leave_directory(self.directory)
        self._watchdog.close()
        self._context.notifier.close()


def make_supervisor(record: ChildRecord, context: Context) -> Supervisor:
    """Make the actor for a supervisor's record."""
    kind = DynamicSupervisor if isinstance(record.spec, DynamicSpec) else Supervisor
    return kind(record, context)
