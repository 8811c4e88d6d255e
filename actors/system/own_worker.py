"""A worker process of one actor's own, while there is something to compute: who hangs (a merge
driver, a filter) holds up no other workflow, and who waits costs no process.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import msgspec

from actors.platform.loop import Timer
from actors.system.stage import CompanyActor

P = ParamSpec("P")
T = TypeVar("T")

REST_SECONDS = 5.0
"""After so long without a call the process ends; the next call starts one, in a tenth of a
second."""


class Rest(msgspec.Struct, frozen=True):
    """Nothing was computed for a while. From the event loop; the actor calls `rest`."""


class OwnWorker:
    """Belongs to the actor's thread."""

    def __init__(self, actor: CompanyActor, name: str, limit: float) -> None:
        self._actor = actor
        self._worker = actor.stage.hire(name, limit)
        self._timer: Timer | None = None

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Worker.call`."""
        self._forget_timer()
        try:
            return self._worker.call(function, *args, **kwargs)
        finally:
            stage, where = self._actor.stage, self._actor.address
            self._timer = stage.loop.later(REST_SECONDS, lambda: stage.notify(where, Rest()))

    def rest(self) -> None:
        """A `Rest` that was under way when it was called again ends it too soon: no harm."""
        self._worker.rest()

    def close(self) -> None:
        self._forget_timer()
        self._actor.stage.dismiss(self._worker)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
