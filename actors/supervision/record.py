"""What a supervisor remembers of a child from one incarnation to the next.

The records form the tree: the record of a supervisor contains the records of its children, also
while that supervisor is between two incarnations. Only the thread of the supervisor above writes a
record, except that a child's own thread appends its dead letter. Any thread may read it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator
from enum import Enum

import msgspec

from actors.supervision.backoff import RestartState
from actors.supervision.life import Life
from actors.supervision.mailbox import Directory, Mailbox
from actors.supervision.spec import ChildSpec, Spec

KEPT_DEAD_LETTERS = 16
"""How many dead letters are kept for each child; older ones are dropped."""


class State(Enum):
    """The state of a child. OTP shows the first three as a pid, and the last as `undefined`."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    RESTARTING = "restarting"
    """It failed, and its next start is still to come."""
    STOPPED = "stopped"


class KeptLetter(msgspec.Struct, frozen=True):
    """A dead letter: the item, its error, the incarnation that failed, and when (Unix seconds)."""

    item: object
    error: str
    incarnation: int
    at: float


class ChildRecord:
    """A child: its spec, address and mailbox, its state now, and its failures so far."""

    def __init__(self, spec: Spec, parent: ChildRecord | None) -> None:
        self.spec = spec
        self.parent = parent
        above = parent.address if parent is not None else ""
        self.address: str = spec.address if spec.address is not None else f"{above}{spec.id}/"
        self.mailbox = Mailbox(self.address)
        self.state = State.STOPPED
        self.life: Life | None = None  # the incarnation that runs now; OTP's pid
        self.incarnation = 0
        self.restarts = 0
        self.last_error: str | None = None  # one line
        self.dead_letters: list[KeptLetter] = []  # an empty deque would take 700 bytes
        self.dead_letter_count = 0
        self.abandoned: list[Life] = []  # lives that did not stop in time and may still run
        self.restart_state: RestartState | None = None  # None: not loaded yet
        self.retry_at: float | None = None  # monotonic seconds; None unless RESTARTING
        self.children: dict[str, ChildRecord] = {}  # in start order; empty for a worker

    @property
    def is_supervisor(self) -> bool:
        """Whether the child is a supervisor itself."""
        return not isinstance(self.spec, ChildSpec)

    def walk(self) -> Iterator[ChildRecord]:
        """Yield this record and all below it, parents first. Any thread: iterates over copies."""
        yield self
        for child in list(self.children.values()):
            yield from child.walk()

    def adopt(self, specs: Iterable[Spec]) -> list[ChildRecord]:
        """Set the children of a starting supervisor from the specs in its own spec.

        Keep the records of children that an earlier incarnation of the supervisor had. Return the
        records of earlier children that are not in the specs.
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
        """Note that the next start is due in `delay` seconds. Return its monotonic time."""
        self.state = State.RESTARTING
        self.retry_at = time.monotonic() + delay
        return self.retry_at

    def ended(self) -> None:
        """Note that the child does not run, and that no start is due."""
        self.life = None
        self.state = State.STOPPED
        self.retry_at = None

    def keep_dead_letter(self, item: object, error: str, incarnation: int) -> None:
        """Keep an item that made an incarnation fail.

        Called in the failing thread, or in the supervisor's thread.
        """
        self.dead_letters.append(KeptLetter(item, error, incarnation, time.time()))
        del self.dead_letters[:-KEPT_DEAD_LETTERS]
        self.dead_letter_count += 1

    def leave_directory(self, directory: Directory) -> None:
        """Take no more mail here and below, and answer the waiting asks with `ActorDeadError`."""
        for record in self.walk():
            directory.unregister(record.address, record.mailbox)
            record.mailbox.close()

    def detached_copy(self, parent: ChildRecord) -> ChildRecord:
        """Copy this record and all below it, without their lives.

        An abandoned supervisor's thread may still write into the records it has. Its next
        incarnation therefore works on copies.
        """
        detached = copy.copy(self)
        detached.parent = parent
        detached.ended()
        detached.children = {
            key: child.detached_copy(detached) for key, child in self.children.items()
        }
        return detached
