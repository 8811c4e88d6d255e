"""How long something took, each time: counts below fixed bounds, and the sum."""

from bisect import bisect_left

import msgspec

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Seconds. A time that equals a bound counts below it."""


class Latency(msgspec.Struct):
    """Times in seconds: how many lie below each of `BOUNDS` and not below the one before.

    The last of `counts` is for those beyond all bounds. One thread notes; any may read.
    """

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def note(self, seconds: float, times: int = 1) -> None:
        """Count so many that took `seconds` each."""
        self.counts[bisect_left(BOUNDS, seconds)] += times
        self.total += seconds * times
