"""What a thread is to do later, in the order of its time. Belongs to that thread."""

from __future__ import annotations

import heapq
import itertools
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Alarms(Generic[T]):
    """Items by the monotonic second at which they are due; first set, first out at the same."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._numbers = itertools.count()

    def set(self, at: float, item: T) -> None:
        heapq.heappush(self._heap, (at, next(self._numbers), item))

    def left(self) -> float | None:
        """Seconds until the first is due; None where nothing is set."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def take(self) -> T:
        """The first."""
        return heapq.heappop(self._heap)[2]
