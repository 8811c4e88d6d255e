"""The stage: what every actor of the company is given when it is made."""

from collections.abc import Sequence
from typing import Any

from actors.platform.loop import EventLoop
from actors.supervision.actor import Actor
from actors.system.models import ModelsPlace
from actors.system.paths import Paths
from actors.system.replies import Replies
from actors.system.timers import Timers
from actors.system.worker_pool import WorkerPool
from bus import messages
from bus.messages import Message
from bus.router import Bus, Envelope
from store.change import Operation
from store.journal import Journal
from store.reader import Reader


class Stage:
    """The parts that all actors of one runtime share. Any thread may use them.

    `paths` names files, `replies` answers clients, `timers` sends messages later, `workers` runs
    computations in other processes. `reader` reads the database, and `journal` writes it. `loop`
    watches file descriptors, and `bus` carries messages. `models` says where the model gateway is.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        bus: Bus,
        journal: Journal,
        reader: Reader,
        loop: EventLoop,
        replies: Replies,
        timers: Timers,
        workers: WorkerPool,
    ) -> None:
        self.paths = paths
        self.bus = bus
        self.journal = journal
        self.reader = reader
        self.loop = loop
        self.replies = replies
        self.timers = timers
        self.workers = workers
        self.models = ModelsPlace()

    def tell(self, to: str, message: Message) -> bool:
        """Send a message over the bus without blocking. Return False if nobody lives at `to`."""
        return self.bus.send(to, messages.encode(message))

    def commit(self, actor: Actor, change: Sequence[Operation]) -> list[int]:
        """Store a change in an actor's name, and wait until it is durable.

        Return the seqs of its facts. Raise `StoreError`, or `Fenced` if the actor's incarnation is
        over.
        """
        actor.fence.check()
        return self.journal.commit(change)


class CompanyActor(Actor):
    """An actor with a stage. It receives messages from the bus as decoded structs."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def decode(self, item: Any) -> Any:
        """Decode an envelope of the bus. Runs in the actor's thread."""
        return messages.decode(item.payload) if isinstance(item, Envelope) else item
