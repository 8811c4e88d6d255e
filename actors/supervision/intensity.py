"""The limit on restarts within a period."""

from __future__ import annotations

from collections import deque


class Intensity:
    """Counts restarts, of which at most `intensity` are allowed within `period` seconds."""

    def __init__(self, intensity: int, period: float) -> None:
        self._intensity = intensity
        self._period = period
        self._restarts: deque[float] = deque()

    def add(self, now: float) -> bool:
        """Count a restart at `now` (monotonic seconds). Return False if it exceeds the limit."""
        self._restarts.append(now)
        while self._restarts[0] < now - self._period:
            self._restarts.popleft()
        return len(self._restarts) <= self._intensity
