"""A queue of things to do later, ordered by time. For use by one thread."""

from __future__ import annotations

import heapq
import itertools
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Alarms(Generic[T]):
    """Items ordered by the monotonic time at which they are due; ties in the order of `set`."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._numbers = itertools.count()

    def set(self, at: float, item: T) -> None:
        """Add an item that is due at the monotonic time `at`."""
        heapq.heappush(self._heap, (at, next(self._numbers), item))

    def left(self) -> float | None:
        """Return the seconds until the first item is due, or None if there is no item."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def take(self) -> T:
        """Remove and return the first item."""
        return heapq.heappop(self._heap)[2]
