"""What all supervisors of one tree share: directory, events, restart states, incarnations."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from actors.supervision.actor import Actor
from actors.supervision.backoff import RestartState, RestartStore
from actors.supervision.errors import one_line
from actors.supervision.events import ChildFailed, DeadLetter, Event, Notifier
from actors.supervision.life import Life
from actors.supervision.mailbox import Directory
from actors.supervision.record import ChildRecord

logger = logging.getLogger(__name__)


class Context:
    """The parts that the supervisors of one tree share.

    All methods may be called from any thread. Only `load` can block, and none raises.
    """

    def __init__(
        self,
        directory: Directory,
        on_event: Callable[[Event], object] | None,
        store: RestartStore | None,
        on_busy: Callable[[], None],
        make_supervisor: Callable[[ChildRecord, Context], Actor],
    ) -> None:
        self.directory = directory
        self.on_busy = on_busy
        self.make_supervisor = make_supervisor
        self.rng = random.Random()
        self.notifier = Notifier("supervision-events")
        self._on_event = on_event
        self._store = store
        self._incarnations: dict[str, int] = {}

    def next_incarnation(self, address: str) -> int:
        """Return a number not used for the address yet, also if the child was deleted meanwhile."""
        number = self._incarnations.get(address, 0) + 1
        self._incarnations[address] = number
        return number

    def emit(self, event: Event) -> None:
        """Have the notifier's thread report the event."""
        hook = self._on_event
        if hook is not None:
            self.notifier.post(lambda: hook(event))

    def emit_failed(self, life: Life, error: BaseException) -> None:
        """Report the failure of a life."""
        self.emit(ChildFailed(address=life.address, incarnation=life.incarnation, error=error))

    def dead_letter(
        self, record: ChildRecord, life: Life, item: object, error: BaseException
    ) -> None:
        """Keep and report the item that made a life fail."""
        record.keep_dead_letter(item, one_line(error), life.incarnation)
        self.emit(
            DeadLetter(address=life.address, incarnation=life.incarnation, item=item, error=error)
        )

    def close_deleted(self, record: ChildRecord) -> None:
        """Close the mailboxes of a deleted child and of all below it. Report the unread mail."""
        record.leave_directory(self.directory)
        for gone in record.walk():
            for item in gone.mailbox.drain():
                self.emit(
                    DeadLetter(
                        address=gone.address, incarnation=gone.incarnation, item=item, error=None
                    )
                )

    def load(self, address: str) -> RestartState | None:
        """Load the restart state of an address. Return None if there is none, or loading fails."""
        if self._store is None:
            return None
        try:
            return self._store.load(address)
        except Exception:
            logger.exception("the restart state of %s could not be loaded", address)
            return None

    def save(self, address: str, state: RestartState) -> None:
        """Have the notifier's thread save the restart state of an address."""
        store = self._store
        if store is not None:
            self.notifier.post(lambda: store.save(address, state))
