"""The events that a tree reports, and the thread that delivers them.

The hooks that receive events may block or raise. Supervisors therefore only put events into a
queue. One `Notifier` thread for each tree calls the hooks, in the order of the events.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

logger = logging.getLogger(__name__)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to the actor at `address`, at the time `at` (Unix seconds)."""

    address: str
    incarnation: int
    at: float = msgspec.field(default_factory=time.time)


class ChildStarted(Event, frozen=True, kw_only=True):
    """The actor has started, and not by a restart."""


class ChildRestarted(Event, frozen=True, kw_only=True):
    """The actor has been restarted, after its own failure or together with a sibling."""


class ChildFailed(Event, frozen=True, kw_only=True):
    """The actor failed while it started, ran or stopped."""

    error: BaseException

    @property
    def traceback(self) -> str:
        """The traceback as text, formatted on reading because that takes as long as a restart."""
        return "".join(traceback.format_exception(self.error))


class ChildStopped(Event, frozen=True, kw_only=True):
    """The actor ended without a failure: `normal` (it stopped itself) or `shutdown` (ordered)."""

    reason: str


class Abandoned(Event, frozen=True, kw_only=True):
    """The actor did not start or stop in time and is fenced. `stack` is its thread's stack."""

    stack: str | None


class GaveUp(Event, frozen=True, kw_only=True):
    """A supervisor gave up after too many restarts. `reason` names the last child and its error."""

    reason: str


class DeadLetter(Event, frozen=True, kw_only=True):
    """Nobody will handle `item`: it made its actor fail (`error`), or its actor was deleted."""

    item: object
    error: BaseException | None


class Stuck(Event, frozen=True, kw_only=True):
    """The actor has been `doing` one thing for `seconds`. Reported once for each message."""

    doing: str
    seconds: float
    stack: str | None


class Notifier:
    """Runs jobs one after another in a thread of its own, and logs those that raise.

    The first job starts the thread. While `limit` jobs wait, further jobs are dropped and counted.
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
        """Have the thread run the job. Any thread; does not block and does not raise."""
        if self._closed or self._jobs.qsize() >= self._limit:
            self.dropped += 1
            return
        self._jobs.put(job)
        if self._thread is None:
            self._begin()

    def drain(self, timeout: float | None) -> bool:
        """Wait until all jobs posted so far are done. Return whether they are after `timeout` s."""
        if self._closed or self._thread is None:
            if self._thread is not None:
                self._thread.join(timeout)
            return self._thread is None or not self._thread.is_alive()
        done = threading.Event()
        self._jobs.put(done.set)
        return done.wait(timeout)

    def close(self) -> None:
        """Take no more jobs, and end the thread after those that wait."""
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
