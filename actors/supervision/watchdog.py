"""Reports actors that handle one message for too long.

The watchdog's thread sleeps without a timeout while no actor handles anything. The first actor that
starts to work wakes it by `busy`, which usually costs one attribute test. The thread then sleeps
until the oldest piece of work could exceed the limit, and looks again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from actors.supervision.events import Stuck
from actors.supervision.life import Life
from actors.supervision.record import ChildRecord


class Watchdog:
    """Watches all actors below one root. `limit` is in seconds. `report` must not block."""

    def __init__(self, root: ChildRecord, limit: float, report: Callable[[Stuck], None]) -> None:
        self._root = root
        self._limit = limit
        self._report = report
        self._reported: dict[Life, float] = {}  # reported already: since when each was busy
        self._awake = False
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def busy(self) -> None:
        """Note that an actor starts to work. Any thread; called for every message."""
        if not self._awake:
            self._wake_thread()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._wake.set()

    def _wake_thread(self) -> None:
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
            # Clear `_awake` before the last look. This look sees an actor that became busy before
            # that; an actor that becomes busy after it finds `_awake` False.
            self._wake.clear()
            self._awake = False
            if self._look() is not None:
                self._wake_thread()

    def _look(self) -> float | None:
        """Report what exceeds the limit. Return the seconds until more could, or None."""
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
