"""The event loop of the runtime: one thread for all file descriptors and timers.

It watches the links to terminal hosts and the inotify handles with epoll (kqueue on macOS), and
sleeps without a timeout while no timer is set. Callbacks run in its thread. They must be short, and
pass on what they learn by putting it into an actor's mailbox. A callback that raises is logged, and
its descriptor is not watched any more. If the loop itself fails, `on_death` gets the reason, and
the runtime must end.

Timers do not count time in which the process did not run. The loop's clock stands still while the
machine is suspended. If the process was stopped (SIGSTOP), the loop notices that it wakes too late,
and moves all timers by that time.
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
"""Seconds. If the loop wakes later than this, the process was stopped meanwhile."""

Callback = Callable[[], None]


class HasFileno(Protocol):
    """An object with a file descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""


class Timer:
    """A callback that is due once. Any thread may call `cancel`."""

    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """Do not run the callback, unless it runs already; let go of what it holds.

        The loop keeps a cancelled timer until it would have been due, which may be hours.
        """
        self.cancelled = True
        self.callback = _nothing


def _nothing() -> None:
    """Take the place of a callback that was cancelled."""


class EventLoop:
    """A thread around a selector. Any thread may call `start`, `stop`, `post` and `later`."""

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
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Run what was posted, then end the thread and wait for its end."""
        self.post(self._end)
        self._thread.join()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def post(self, callback: Callback) -> None:
        """Run `callback` in the loop's thread, after those that were posted before."""
        with self._lock:
            self._posted.append(callback)
            first = len(self._posted) == 1
        if first:
            self._wake()

    def later(self, seconds: float, callback: Callback) -> Timer:
        """Run `callback` once after `seconds`, not counting time suspended."""
        timer = Timer(callback)
        self.post(lambda: self._add(seconds, timer))
        return timer

    # ---- in the loop's thread ------------------------------------------------------------

    def watch(self, fd: HasFileno, on_readable: Callback, on_writable: Callback | None) -> None:
        """Call `on_readable` when `fd` is readable, and `on_writable`, if given, when writable.

        A second call for the same descriptor replaces the callbacks. In the loop's thread.
        """
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if on_writable else 0)
        try:
            self._selector.modify(fd.fileno(), events, (on_readable, on_writable))
        except KeyError:
            self._selector.register(fd.fileno(), events, (on_readable, on_writable))

    def unwatch(self, fd: int) -> None:
        """Stop watching a descriptor; do it before you close it. In the loop's thread."""
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            log.debug("descriptor %s was not watched", fd)

    def _run(self) -> None:
        try:
            while self._going:
                self._turn()
        except BaseException as error:  # noqa: BLE001 - without the loop the runtime must end
            self._on_death(f"the event loop broke: {error!r}")

    def _turn(self) -> None:
        """Wait once, then run the callbacks that are ready, posted or due."""
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
        """Return the time. If more than `expected` + LATE seconds passed, move the timers.

        The loop calls this before and after everything that can take time, so that it notices a
        stopped process wherever the stop comes.
        """
        now = clock.awake()
        gap, self._now = now - self._now, now
        if gap - expected > LATE:
            # All timers move by the same time, so the heap stays valid.
            self._timers = [(due + gap, number, timer) for due, number, timer in self._timers]
        return now

    def _add(self, seconds: float, timer: Timer) -> None:
        """Set the timer, counting from now: the posted callback may have waited."""
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
