"""What a supervisor remembers of a child, from one incarnation to the next.

The records of a tree are the tree: the record of a supervisor holds the records of its children,
also while that supervisor is between two incarnations. One thread writes a record, the one of the
supervisor above it (a child's own thread appends its dead letter); anybody may read it at any time.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from actors.supervision.backoff import RestartState
from actors.supervision.life import Life
from actors.supervision.mailbox import Directory, Mailbox
from actors.supervision.spec import ChildSpec, Spec

KEPT_DEAD_LETTERS = 16  # a child


class State(Enum):
    """Where a child is. OTP's pid, `restarting` and `undefined`, told apart a little finer."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    RESTARTING = "restarting"  # it failed, and its next start is still to come
    STOPPED = "stopped"


@dataclass(frozen=True)
class Buried:
    """An item set aside: what broke which incarnation, when (Unix seconds), with which error."""

    item: object
    error: str
    incarnation: int
    at: float


class ChildRecord:
    """A child: its spec, its address and mailbox, how it is and how it has fared."""

    def __init__(self, spec: Spec, parent: ChildRecord | None) -> None:
        self.spec = spec
        self.parent = parent
        above = parent.address if parent is not None else ""
        self.address: str = spec.address if spec.address is not None else f"{above}{spec.id}/"
        self.mailbox = Mailbox(self.address)
        self.state = State.STOPPED
        self.life: Life | None = None  # OTP's pid
        self.incarnation = 0
        self.restarts = 0
        self.last_error: str | None = None  # one line
        self.dead_letters: deque[Buried] = deque(maxlen=KEPT_DEAD_LETTERS)
        self.dead_letter_count = 0
        self.abandoned: list[Life] = []  # lives that did not stop in time
        self.fared: RestartState | None = None  # None: not asked the store yet
        self.retry_at: float | None = None  # monotonic seconds; None unless RESTARTING
        self.children: dict[str, ChildRecord] = {}  # in start order; a supervisor's only

    @property
    def is_supervisor(self) -> bool:
        return not isinstance(self.spec, ChildSpec)

    def walk(self) -> Iterator[ChildRecord]:
        """This record and all below it, parents first. Any thread: it copies before it looks."""
        yield self
        for child in list(self.children.values()):
            yield from child.walk()

    def adopt(self, specs: Iterable[Spec]) -> list[ChildRecord]:
        """Give a starting supervisor its children; return those of before that it does not know.

        A child that was there before, in an earlier incarnation of the supervisor, stays the same.
        """
        before, adopted = self.children, {}
        for spec in specs:
            record = ChildRecord(spec, self)
            old = before.get(spec.id)
            if old is not None and (old.address, type(old.spec)) == (record.address, type(spec)):
                record, record.spec = old, spec
            adopted[spec.id] = record
        self.children = adopted
        return [old for key, old in before.items() if adopted.get(key) is not old]

    def retry(self, delay: float) -> float:
        """Note that the next start comes in so many seconds; the monotonic time of it."""
        self.state = State.RESTARTING
        self.retry_at = time.monotonic() + delay
        return self.retry_at

    def ended(self) -> None:
        """Note that nothing runs, and that no start is to come."""
        self.life = None
        self.state = State.STOPPED
        self.retry_at = None

    def bury(self, item: object, error: str, incarnation: int) -> None:
        """Set the item aside that broke an incarnation. The dying thread, or the supervisor's."""
        self.dead_letters.append(Buried(item, error, incarnation, time.time()))
        self.dead_letter_count += 1

    def leave_directory(self, directory: Directory) -> None:
        """Nobody lives here, or below, any more: take no new mail, answer the waiting asks."""
        for record in self.walk():
            directory.unregister(record.address, record.mailbox)
            record.mailbox.close()

    def successor(self, parent: ChildRecord) -> ChildRecord:
        """The same child without its life, for a supervisor whose predecessor was abandoned.

        The predecessor's thread may still write into the old record; nobody reads that any more.
        """
        heir = copy.copy(self)
        heir.parent = parent
        heir.ended()
        heir.children = {key: child.successor(heir) for key, child in self.children.items()}
        return heir
