"""The one event loop: every file descriptor and every timer of the runtime.

It watches all terminal hosts and all inotify handles with one epoll (kqueue elsewhere),
and sleeps without a time limit while nothing is due. Callbacks run in its thread, must be
short, and hand what they learn to an actor's mailbox; one that fails is logged and its
descriptor is watched no more. Where the loop itself breaks, nothing is heard any more: `on_death`
is told why, and the runtime must end.

Timers do not count time in which nothing ran: while the machine sleeps its clock stands, and
where the process was stopped (SIGSTOP) the loop sees that it comes late and is late no more.
"""

import heapq
import itertools
import logging
import os
import selectors
import threading
from collections.abc import Callable
from typing import Protocol

from bus import clock

log = logging.getLogger("callboard.loop")

LATE = 0.5
"""A loop that comes later than this was stopped: the time it waited is not counted."""

Callback = Callable[[], None]


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Timer:
    """A callback that is due once; `cancel` may be called from any thread."""

    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class EventLoop:
    """A thread around a selector. All public methods may be called from any thread."""

    def __init__(self, on_death: Callable[[str], None] = log.critical) -> None:
        self._on_death = on_death
        self._selector = selectors.DefaultSelector()
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, Timer]] = []
        self._now = clock.awake()
        self._posted: list[Callback] = []
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._going = True
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Carry out what was posted, then end the thread."""
        self.post(self._end)
        self._thread.join()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def post(self, callback: Callback) -> None:
        """Run it soon, in the loop's thread, after those posted before."""
        with self._lock:
            self._posted.append(callback)
            first = len(self._posted) == 1
        if first:
            self._wake()

    def later(self, seconds: float, callback: Callback) -> Timer:
        """Run it once in so many seconds in which this process was not stopped."""
        timer = Timer(callback)
        self.post(lambda: self._add(seconds, timer))
        return timer

    # ---- in the loop's thread ------------------------------------------------------------

    def watch(self, fd: HasFileno, on_readable: Callback, on_writable: Callback | None) -> None:
        """Call when readable, and when writable while `on_writable` is given. Called again
        for the same descriptor it replaces what was asked. In the loop's thread."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if on_writable else 0)
        try:
            self._selector.modify(fd.fileno(), events, (on_readable, on_writable))
        except KeyError:
            self._selector.register(fd.fileno(), events, (on_readable, on_writable))

    def unwatch(self, fd: int) -> None:
        """Forget a descriptor, before it is closed. In the loop's thread."""
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            log.debug("descriptor %s was not watched", fd)

    def _run(self) -> None:
        try:
            while self._going:
                self._turn()
        except BaseException as error:  # noqa: BLE001 - the last word of the only loop
            self._on_death(f"the event loop broke: {error!r}")

    def _turn(self) -> None:
        """Wait, and call whom it concerns."""
        for key, mask in self._wait():
            if key.data is None:
                self._drain_wakes()
                continue
            on_readable, on_writable = key.data
            if mask & selectors.EVENT_READ:
                self._call(on_readable, key.fd)
            if mask & selectors.EVENT_WRITE and on_writable is not None:
                self._call(on_writable, key.fd)
        self._run_posted()
        self._run_due()

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        now = self._reckon(0.0)
        patience = max(0.0, self._timers[0][0] - now) if self._timers else None
        found = self._selector.select(patience)
        self._reckon(patience or 0.0)
        return found

    def _reckon(self, expected: float) -> float:
        """What time it is, and what is due then. Every moment lies between two calls of this, so
        that a stop is noticed wherever it comes; `expected` may pass between these two."""
        now = clock.awake()
        gap, self._now = now - self._now, now
        if gap - expected > LATE:
            # Moved alike they stay in order.
            self._timers = [(due + gap, number, timer) for due, number, timer in self._timers]
        return now

    def _add(self, seconds: float, timer: Timer) -> None:
        """Counted from here on: the way here may have been long."""
        heapq.heappush(self._timers, (self._now + seconds, next(self._numbers), timer))

    def _run_posted(self) -> None:
        with self._lock:
            posted, self._posted = self._posted, []
        for callback in posted:
            self._call(callback, None)

    def _run_due(self) -> None:
        now = self._reckon(0.0)
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                self._call(timer.callback, None)

    def _call(self, callback: Callback, fd: int | None) -> None:
        try:
            callback()
        except Exception:
            log.exception("a callback of the event loop failed")
            if fd is not None:
                self.unwatch(fd)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            log.debug("the loop has been woken already")

    def _drain_wakes(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            return

    def _end(self) -> None:
        self._going = False
