"""The runtime: the parts of one process that owns a home and runs its workflows.

They are started in this order: the lock on the home; the journal, before any thread that writes;
the supervision tree; and the connection file last, so that a client that finds it can connect. The
end is in reverse order. Terminals go on.
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from actors import VERSION
from actors.gateway.callers import Callers
from actors.gateway.doors import DoorProcess, Doors
from actors.gateway.publisher import Committed
from actors.gateway.repeats import Repeats
from actors.models.starting import end_unneeded
from actors.notice.worth import wakes
from actors.platform import descriptors
from actors.platform.loop import EventLoop
from actors.platform.owners import end_abandoned, work_for
from actors.pty.ending import end_all_terminals
from actors.pty.recall import recall_all
from actors.runtime import failures
from actors.runtime.opening import door_processes, tcp_place
from actors.runtime.restarts import StoredRestarts
from actors.runtime.tree import door_spec, root_spec, workflow_spec
from actors.supervision import events
from actors.supervision.errors import NoSupervisor
from actors.supervision.inspection import Node
from actors.supervision.mailbox import Directory
from actors.supervision.ref import SupervisorRef
from actors.supervision.tree import Tree, start_tree
from actors.system.paths import Paths
from actors.system.replies import Replies
from actors.system.stage import Stage
from actors.system.timers import Timers
from actors.system.worker_pool import WorkerPool
from actors.watcher.watches import Watches
from bus import address as addresses
from bus import clock, connection, logs, messages, sockets
from bus.doors import Place
from bus.environment import chosen
from bus.errors import Refused
from bus.facts import ActorFailed, ActorRestarted, RuntimeStarted, RuntimeStopped
from bus.latency import Latency
from bus.messages import Look
from bus.reasons import Reason
from bus.router import Bus
from store.change import Operation, explain_workflow
from store.changing import Changes
from store.database import create_or_migrate
from store.errors import StoreError
from store.journal import Journal, Stored
from store.lost import require_database
from store.reader import Reader

log = logging.getLogger("callboard")

STUCK_SECONDS = 30.0
"""An actor that handles one message for longer is logged."""

HOME_CHECK_SECONDS = 5.0
"""How often to check that the home still exists."""

STOP_SECONDS = 20.0
"""How long all actors together may take to stop; the rest are abandoned."""


class HomeBusy(Exception):
    """Another runtime serves the home."""


class Runtime:
    """One runtime. The main thread makes, starts and stops it.

    `ended` is set when it is to end. `failure` is the reason if it cannot go on, otherwise "". Any
    thread may call `request_stop` and the methods that `gateway.actor.Control` names. Making a
    runtime raises `HomeBusy`, `StoreError` or `OSError` if the home cannot be served.
    """

    def __init__(self, home: Path, doors: Doors = Doors()) -> None:  # noqa: B008 - it is frozen
        self.home = home
        self._doors = doors
        self._token = secrets.token_urlsafe(32)
        self._door_secret = secrets.token_urlsafe(32)
        logs.hide(self._token, self._door_secret)
        self.repeats = Repeats()
        self.latency = Latency()
        self.failure = ""
        self.reason = "stopped"
        self.end_terminals = False
        self.ended = threading.Event()
        connection.make_private(home)
        lock = connection.hold(home)
        if lock is None:
            raise HomeBusy(f"process {connection.holder(home)} serves {home} already")
        self._lock = lock
        connection.remove(home)  # of a runtime that was killed: with the lock it would count
        work_for(str(home))
        end_abandoned(str(home))  # git commands and workers of a runtime that was killed
        self._tree: Tree | None = None
        require_database(home)
        create_or_migrate(home / "callboard.db")
        self._paths = Paths(home, sockets.socket_directory(home))
        changes = Changes()
        self._reader = Reader(home / "callboard.db", changes)
        self._directory = Directory()
        self._loop = EventLoop(self._fail)
        self._watches = Watches(self._loop)
        self._bus = Bus(
            self._directory.deliver,
            self._backlog,
            self._fail,
            Callers(home, self._door_secret, self._reader.tokens).identify,
            descriptors.room,
        )
        self._journal = Journal(home / "callboard.db", self._committed, self._fail, changes)
        self._stage = Stage(
            self._paths,
            bus=self._bus,
            journal=self._journal,
            reader=self._reader,
            loop=self._loop,
            replies=Replies(self._bus, self._reader),
            timers=Timers(self._loop, self._directory),
            workers=WorkerPool(),
        )
        self._last_request = time.monotonic()
        self._failures = failures.Failures()

    # ---- start and stop -------------------------------------------------------------------

    def start(self) -> None:
        """Start serving. Return when all unfinished workflows have actors and clients can connect.

        Raise `SupervisorError` if the root gives up during the start.
        """
        requests, feed = self._endpoint("requests"), self._endpoint("feed")
        self._bus.bind(requests)
        self._loop.start()
        self._bus.start()
        self._tree = start_tree(
            root_spec(
                self._stage,
                feed,
                self,
                [door_spec(self._stage, name, door) for name, door in self._door_processes()],
                self._doors.repositories,
            ),
            on_event=self._on_event,
            on_give_up=self._fail,
            restart_store=StoredRestarts(self._journal, self._reader),
            directory=self._directory,
            stuck_after=STUCK_SECONDS,
        )
        self._journal.commit(
            [RuntimeStarted(address=addresses.RUNTIME, pid=os.getpid(), version=VERSION)]
        )
        for workflow in self._reader.unfinished_ids():
            self.start_workflow(workflow)
        if self.failure:
            raise NoSupervisor(self.failure)
        self._write_connection()
        self._check_home()

    def _write_connection(self) -> None:
        connection.write(
            self.home,
            connection.Connection(
                version=connection.VERSION,
                pid=os.getpid(),
                requests=self._endpoint("requests"),
                feed=self._endpoint("feed"),
                token=self._token,
                http=self._doors.web.url if self._doors.web else "",
                tcp=tcp_place(self._doors, self.home),
            ),
        )

    def _door_processes(self) -> list[tuple[str, DoorProcess]]:
        place = Place(
            requests=self._endpoint("requests"),
            feed=self._endpoint("feed"),
            secret=self._door_secret,
            logs=logs.settings(),
        )
        return door_processes(self._doors, place, self.home, self._token)

    def stop(self) -> None:
        """Stop all parts in order. Terminals go on unless `end_terminals` is set."""
        if not self.failure:
            connection.remove(self.home)
        if self._tree is not None:
            self._tree.stop(STOP_SECONDS)
        if self.end_terminals:
            end_all_terminals(self.home)
        end_unneeded(self.home)
        if not self.failure:
            self._store(RuntimeStopped(address=addresses.RUNTIME, reason=self.reason))
        self._journal.close()
        self._bus.stop()
        self._loop.stop()
        self._stage.workers.close()
        end_abandoned(str(self.home), mine=True)  # git commands of abandoned actors
        self._reader.close()
        sockets.remove_sockets(self._paths.sockets)
        os.close(self._lock)

    def give_up(self) -> None:
        """After a failure, refuse the waiting requests and end the workers.

        Everything else is left to the next runtime. Git commands are not ended here, because an
        actor that still runs would take that for a result.
        """
        with suppress(OSError):
            connection.remove(self.home)
        self._bus.close_door()
        self._stage.workers.close()

    @property
    def workflows(self) -> SupervisorRef:
        """The supervisor above all workflows. Raise `Refused` while the tree is starting."""
        return self._started_tree().supervisor(addresses.WORKFLOWS)

    def start_workflow(self, id: str) -> None:
        """Start the actors of a stored workflow. Raise `Refused` while the tree is starting."""
        self.workflows.start_child(workflow_spec(self._stage, self._watches, id))

    def inspect(self) -> Node:
        """Return the supervision tree as data. Raise `Refused` while it is starting."""
        return self._started_tree().inspect()

    def note_request(self) -> None:
        """Note that a client uses the runtime now, so that it does not end as idle."""
        self._last_request = time.monotonic()

    def _started_tree(self) -> Tree:
        if self._tree is None:
            raise Refused(503, Reason.STARTING, "the runtime is starting; try again")
        return self._tree

    def request_stop(self, reason: str, terminals: bool = False) -> None:
        """Have the main thread stop the runtime, and its terminals if `terminals`. Any thread."""
        self.reason = reason
        self.end_terminals = self.end_terminals or terminals
        self.ended.set()

    def _fail(self, why: str) -> None:
        self.failure = why
        self.ended.set()

    def _endpoint(self, name: str) -> str:
        return f"ipc://{self._paths.sockets / name}"

    def _check_home(self) -> None:
        """End the runtime if its home or database was deleted. Runs in the event loop."""
        try:
            serving = (self.home / "connection.json").exists()
        except OSError:
            serving = False
        if not serving and not self.ended.is_set():
            self._fail(f"the home {self.home} was taken away")
            return
        self._journal.verify()
        self._keep_sockets()
        self._loop.later(HOME_CHECK_SECONDS, self._check_home)

    def _keep_sockets(self) -> None:
        """Make the sockets again if their directory, or one of them, was removed."""
        old = self._paths.sockets
        if old.is_dir():
            self._bus.gate.look()
            return
        try:
            self._paths.sockets = sockets.socket_directory(self.home)
        except OSError as error:
            log.warning("the sockets in %s are lost: %s", old, error)
            return
        log.warning("the sockets in %s were removed, and are made again", old)
        self._bus.gate.move(f"{old}/", f"{self._paths.sockets}/")
        self._write_connection()
        again = threading.Thread(target=recall_all, args=(self.home, self._paths.sockets))
        again.start()

    # ---- hooks ----------------------------------------------------------------------------

    def _committed(self, stored: Sequence[Stored]) -> None:
        """Wake the publisher and the workflows concerned. Runs in the journal's thread."""
        # The publisher comes first because publishing takes less time than deciding.
        self._stage.timers.notify(addresses.PUBLISHER, Committed(stored))
        for id in {s.fact.address.split("/", 1)[0] for s in stored if s.fact.observed}:
            self._bus.send(addresses.workflow(id), _LOOK)
        if any(wakes(s.fact) for s in stored):
            self._stage.timers.notify(addresses.NOTIFIER, Look())

    def _count_failure(self, address: str, error: BaseException, at: float) -> None:
        """Tell a workflow of an actor that fails again and again, and show it beside its status."""
        if isinstance(error, StoreError):
            return  # of the database, not of the workflow
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        fact = self._failures.add(address, words, at)
        if fact is None:
            return
        workflow = addresses.workflow_of(fact.address)
        shown = failures.reason(fact)
        self._store(fact, explain_workflow(workflow, shown))
        self._loop.later(failures.APART, lambda: self._forget_failure(workflow, address, shown))

    def _forget_failure(self, workflow: str, address: str, shown: str) -> None:
        """Take the reason away of an actor that works again. Runs in the event loop."""
        if not self._failures.is_over(address, clock.wall().timestamp()):
            again = lambda: self._forget_failure(workflow, address, shown)  # noqa: E731
            self._loop.later(failures.APART, again)
            return
        with suppress(StoreError):  # another reason stands there now
            self._journal.commit([explain_workflow(workflow, "", instead_of=shown)])

    def _backlog(self) -> int:
        return self._directory.depth(addresses.GATEWAY)

    def _on_event(self, event: events.Event) -> None:
        """Store the supervisors' events as facts, or log them. Runs in the notifier's thread."""
        match event:
            case events.ChildFailed(error=error):
                log.warning("%s failed: %r\n%s", event.address, error, event.traceback)
                self._store(
                    ActorFailed(
                        address=event.address,
                        incarnation=event.incarnation,
                        error=f"{type(error).__name__}: {error}"[:500],
                    )
                )
                self._count_failure(event.address, error, event.at)
            case events.ChildRestarted():
                self._store(ActorRestarted(address=event.address, incarnation=event.incarnation))
            case events.Stuck(doing=doing, seconds=seconds, stack=stack):
                log.warning(
                    "%s is stuck in %s for %.0f s\n%s", event.address, doing, seconds, stack
                )
            case events.GaveUp(reason=reason):
                log.error("%s gives up: %s", event.address, reason)
            case events.DeadLetter(item=item, error=None):
                self._stage.replies.answer_unread(event.address, item)
            case events.Abandoned(stack=stack):
                log.error("%s did not stop in time and is abandoned\n%s", event.address, stack)

    def _store(self, *change: Operation) -> None:
        try:
            self._journal.commit(change)
        except StoreError as error:
            log.error("cannot store %r: %s", change, error)

    def info(self) -> dict[str, Any]:
        """Return the answer to `runtime.info`. Any thread."""
        return {
            "pid": os.getpid(),
            "version": VERSION,
            "home": str(self.home),
            "head": self._journal.head,
            "workflows": len(self._reader.workflow_ids()),
            "unfinished": self._reader.unfinished_ids(),
            "undelivered": self._bus.undelivered,
            "epoch": self.repeats.epoch,
            "queued": self._journal.queued,
            "published": self.latency,
            "environment": chosen(),
        }

    def idle_for(self) -> float:
        """Return the seconds since the last request; 0 while a workflow is unfinished."""
        if self._reader.unfinished_ids():
            return 0.0
        return time.monotonic() - self._last_request


_LOOK = messages.encode(Look())
