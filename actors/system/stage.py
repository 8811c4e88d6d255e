"""The stage: what every actor of the company is given.

Where things are (`home`), what is true (`journal` writes, `reader` reads), how to speak
(`tell`, `reply`), what happens outside (`loop`), and who computes (`workers`).
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.platform.loop import EventLoop
from actors.platform.workers import Worker
from actors.supervision.actor import Actor
from actors.supervision.mailbox import Directory
from actors.supervision.ref import SupervisorRef
from actors.supervision.stopping import DidNotStop
from bus import address as addresses
from bus import messages, requests
from bus.errors import Refused, illegal
from bus.messages import Answer, Message, Order
from bus.router import Bus, Envelope
from bus.status import FINAL_WORKFLOW
from store.change import Operation
from store.errors import StoreError
from store.journal import Journal
from store.reader import Reader

SCREEN_SECONDS = 10.0
"""What a look at one screen may take; a tenth of a second is usual."""
FORECAST_SECONDS = 60.0
"""What a look ahead at two branches may take."""


def broken(what: str, error: BaseException) -> Refused:
    """For whoever waits for `what`: it broke, or was cut because its actor is being ended."""
    if isinstance(error, DidNotStop):
        return Refused(503, "stopping", f"{what} was not ended in time: the runtime is stopping")
    return Refused(500, "failed", f"{what} broke: {type(error).__name__}: {error}")


class Fenced(Exception):
    """An abandoned incarnation tried to write; it counts no more."""


class Stage:
    """Shared by all actors; every method may be called from any thread.

    `published` is the seq of the last fact on the feed. `workflows` is the supervisor above
    all workflows, `inspect` gives the whole tree as data, `request_stop(reason, terminals)`
    ends the runtime; the runtime sets these once the tree stands.
    """

    def __init__(
        self,
        home: Path,
        sockets: Path,
        *,
        bus: Bus,
        directory: Directory,
        journal: Journal,
        reader: Reader,
        loop: EventLoop,
    ) -> None:
        self.home = home
        self.sockets = sockets
        self.bus = bus
        self.directory = directory
        self.journal = journal
        self.reader = reader
        self.loop = loop
        self.published = journal.head
        self.last_request = time.monotonic()
        self.screens = Worker("screens", SCREEN_SECONDS)
        self.forecasts = Worker("forecasts", FORECAST_SECONDS)
        self._hired: set[Worker] = {self.screens, self.forecasts}
        self.workflows: SupervisorRef
        self.inspect: Callable[[], Any]
        self.request_stop: Callable[[str, bool], None]

    def tell(self, to: str, message: Message) -> bool:
        """Send over the bus; False where nobody lives. Never blocks."""
        return self.bus.send(to, messages.encode(message))

    def reply(self, client: str, id: Any, result: Any = None) -> None:
        """Answer a request from outside."""
        self.bus.send(client, requests.succeeded(id, result))

    def refuse(self, client: str, id: Any, error: Refused) -> None:
        self.bus.send(client, requests.refused(id, error))

    def hand_on(self, workflow: str, to: str, message: Order | Answer) -> None:
        """Give a person's command to an actor of a workflow, which answers it. Raises `Refused`
        where nobody takes it any more."""
        if not self.tell(to, message):
            raise self._nobody(workflow)

    def answer_unread(self, address: str, item: object) -> None:
        """The actor at this address has ended for good before it read the item: a person who
        waits for an answer gets one."""
        if not isinstance(item, Envelope) or address.startswith(addresses.RUNTIME):
            return
        try:
            failure = self._nobody(addresses.workflow_of(address))
        except StoreError as error:
            failure = Refused(503, "store", f"{address}: nothing was done; {error}")
        match messages.decode(item.payload):
            case Order(client=client, request=request):
                self.refuse(client, request.id, failure)
            case Answer(client=client, id=id):
                self.refuse(client, id, failure)

    def _nobody(self, workflow: str) -> Refused:
        status, _ = self.reader.standing(workflow)
        if status in FINAL_WORKFLOW:
            return illegal("over", f"{workflow}/ is {status}")
        return Refused(503, "stopping", f"{workflow}/ is being ended; nothing was done")

    def notify(self, to: str, item: object) -> None:
        """Put something into a mailbox of this process, as it is: for the event loop, which
        is no actor."""
        self.directory.deliver(to, item)

    def commit(self, actor: Actor, change: Sequence[Operation]) -> list[int]:
        """Store a change in an actor's name and wait until it is durable.

        Raises `StoreError`, or `Fenced` when the incarnation is over.
        """
        if actor.fenced:
            raise Fenced(f"{actor.address} incarnation {actor.incarnation} is over")
        return self.journal.commit(change)

    def socket(self, address: str, incarnation: int) -> Path:
        """Where the host of one incarnation listens: a short path."""
        name = hashlib.sha256(address.encode()).hexdigest()[:16]
        return self.sockets / f"{name}-{incarnation}"

    def terminal_dir(self, address: str, incarnation: int) -> Path:
        """Where the host of one incarnation keeps its files."""
        return self.home / "terminals" / address.strip("/") / str(incarnation)

    def worktree(self, task: str) -> Path:
        return self.home / "worktrees" / task.strip("/")

    def hire(self, name: str, limit: float) -> Worker:
        """A worker process for one actor, to be dismissed."""
        worker = Worker(name, limit)
        self._hired.add(worker)
        return worker

    def dismiss(self, worker: Worker) -> None:
        worker.close()
        self._hired.discard(worker)

    def close(self) -> None:
        """End all workers; also those of an actor that did not stop in time."""
        for worker in list(self._hired):
            worker.close()


class CompanyActor(Actor):
    """An actor on the stage: bus envelopes become messages in its own thread."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def decode(self, item: Any) -> Any:
        return messages.decode(item.payload) if isinstance(item, Envelope) else item
