"""A worker process for one actor, which runs only while there is something to compute.

A computation that hangs (a merge driver, a filter) delays no other actor. An actor that computes
nothing has no process.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import msgspec

from actors.platform.loop import Timer
from actors.system.timers import Timers
from actors.system.worker_pool import WorkerPool

P = ParamSpec("P")
T = TypeVar("T")

REST_SECONDS = 5.0
"""The process ends after this time without a call. Starting one takes a tenth of a second."""


class Rest(msgspec.Struct, frozen=True):
    """Nothing was computed for `REST_SECONDS`. The actor handles it by calling `rest`."""


class OwnWorker:
    """The worker of the actor at `address`. Only that actor's thread may use it.

    A call may take `limit` seconds.
    """

    def __init__(
        self, pool: WorkerPool, timers: Timers, address: str, name: str, limit: float
    ) -> None:
        self._pool = pool
        self._timers = timers
        self._address = address
        self._worker = pool.hire(name, limit)
        self._timer: Timer | None = None

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute `function(*args, **kwargs)` in the process. Raise what `Worker.call` raises."""
        self._cancel_timer()
        try:
            return self._worker.call(function, *args, **kwargs)
        finally:
            self._timer = self._timers.after(REST_SECONDS, self._address, Rest())

    def rest(self) -> None:
        """End the process; the next call starts another.

        A `Rest` that was in the mailbox while the worker was called again ends the process too
        early, which costs only a start.
        """
        self._worker.rest()

    def close(self) -> None:
        """End the process for good."""
        self._cancel_timer()
        self._pool.dismiss(self._worker)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
