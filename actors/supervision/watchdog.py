"""Reports actors that have been at one message for too long.

While nothing is being handled the watchdog's thread sleeps without a timer. The first actor that
starts on something wakes it (`busy`, an attribute test in the usual case). Nothing can be too long
at something before the limit has passed, so it looks only then, and from then on only as often as
something could have become too old.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from actors.supervision.events import Stuck
from actors.supervision.life import Life
from actors.supervision.record import ChildRecord


class Watchdog:
    """Watches all lives below one root; `limit` in seconds. `report` must not block."""

    def __init__(self, root: ChildRecord, limit: float, report: Callable[[Stuck], None]) -> None:
        self._root = root
        self._limit = limit
        self._report = report
        self._reported: dict[Life, float] = {}  # the start of the stretch already reported
        self._awake = False
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def busy(self) -> None:
        """Somebody starts on something. Any thread; called for every message."""
        if not self._awake:
            self._rouse()

    def close(self) -> None:
        """Let the thread end. Nothing is watched any more."""
        self._closed.set()
        self._wake.set()

    def _rouse(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._awake = True
            self._wake.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            wait: float | None = self._limit
            while wait is not None:
                if self._closed.wait(wait):
                    return
                wait = self._look()
            # Fall asleep first and look again then: who became busy in between is seen here, who
            # becomes busy from now on finds `_awake` False.
            self._wake.clear()
            self._awake = False
            if self._look() is not None:
                self._rouse()

    def _look(self) -> float | None:
        """Report what is too old; seconds until the next could be, None if nothing is left."""
        now = time.monotonic()
        wait: float | None = None
        seen: dict[Life, float] = {}
        for record in self._root.walk():
            life = record.life
            since = life.busy_since if life is not None else None
            if life is None or since is None or record.is_supervisor:
                continue
            if self._reported.get(life) == since:
                seen[life] = since
            elif now - since >= self._limit:
                seen[life] = since
                self._report(_stuck(life, now - since))
            else:
                left = since + self._limit - now
                wait = left if wait is None else min(wait, left)
        self._reported = seen
        return wait


def _stuck(life: Life, seconds: float) -> Stuck:
    return Stuck(
        address=life.address,
        incarnation=life.incarnation,
        doing=life.doing or "",
        seconds=seconds,
        stack=life.stack(),
    )
