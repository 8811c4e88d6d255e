"""How many restarts are too many."""

from __future__ import annotations

from collections import deque


class Intensity:
    """Counts restarts: at most `intensity` within `period` seconds."""

    def __init__(self, intensity: int, period: float) -> None:
        self._intensity = intensity
        self._period = period
        self._restarts: deque[float] = deque()

    def add(self, now: float) -> bool:
        """Count one at `now` (monotonic seconds); False if it is one too many."""
        self._restarts.append(now)
        while self._restarts[0] < now - self._period:
            self._restarts.popleft()
        return len(self._restarts) <= self._intensity
