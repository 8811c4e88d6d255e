"""What a tree reports while it works, and the thread that carries the reports out.

Hooks belong to strangers: they may block or raise. So the supervisors only put events into a queue,
and one `Notifier` thread per tree calls the hook, in the order in which things happened.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something happened to the actor at this address, at this time (Unix seconds)."""

    address: str
    incarnation: int
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, kw_only=True)
class ChildStarted(Event):
    """Its start worked, and it was not a restart."""


@dataclass(frozen=True, kw_only=True)
class ChildRestarted(Event):
    """Its start worked, after its own failure or together with a sibling's."""


@dataclass(frozen=True, kw_only=True)
class ChildFailed(Event):
    """It failed: while starting, while running, or while stopping."""

    error: BaseException

    @property
    def traceback(self) -> str:
        """Printable. Made when it is read: that takes as long as the restart itself."""
        return "".join(traceback.format_exception(self.error))


@dataclass(frozen=True, kw_only=True)
class ChildStopped(Event):
    """It ended without a failure. `reason` is `normal` (by itself) or `shutdown` (ordered)."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Abandoned(Event):
    """It did not start or stop in time and is fenced. `stack` is what its thread was doing."""

    stack: str | None


@dataclass(frozen=True, kw_only=True)
class GaveUp(Event):
    """A supervisor has seen too many restarts; `reason` names the last child and its error."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class DeadLetter(Event):
    """An item nobody will handle: it broke its actor, or its actor has ended for good."""

    item: object
    error: BaseException | None


@dataclass(frozen=True, kw_only=True)
class Stuck(Event):
    """It has been at the same thing (`doing`) for `seconds`. Said once a message."""

    doing: str
    seconds: float
    stack: str | None


class Notifier:
    """Runs jobs one after another in a thread of its own. A job that raises is logged.

    The thread is made for the first job. Jobs beyond `limit` waiting ones are dropped and counted.
    """

    def __init__(self, name: str, limit: int = 100_000) -> None:
        self.dropped = 0
        self._name = name
        self._limit = limit
        self._jobs: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def post(self, job: Callable[[], Any]) -> None:
        """Have the job done later. Any thread; never blocks, never raises."""
        if self._closed or self._jobs.qsize() >= self._limit:
            self.dropped += 1
            return
        self._jobs.put(job)
        if self._thread is None:
            self._begin()

    def drain(self, timeout: float | None) -> bool:
        """Wait until all jobs posted so far are done; False if the time was up."""
        if self._closed or self._thread is None:
            if self._thread is not None:
                self._thread.join(timeout)
            return self._thread is None or not self._thread.is_alive()
        done = threading.Event()
        self._jobs.put(done.set)
        return done.wait(timeout)

    def close(self) -> None:
        """Let the thread end after the jobs that wait now; take no more."""
        self._closed = True
        self._jobs.put(None)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException:
                logger.exception("a hook of the supervision tree failed")
