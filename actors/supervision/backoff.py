"""Exponential back-off: how long to wait before a child that keeps failing is restarted.

The delay after the first failure is `initial` seconds. Each further failure multiplies it by
`factor`, up to `maximum`. `jitter` changes each delay at random by up to that share, so that
children that failed together do not restart together. The count of failures starts anew when a
child has run for `reset_after` seconds.

A `RestartStore` keeps the count outside the process, so that it survives a crash of the process.
"""

from __future__ import annotations

import random
from typing import Protocol

import msgspec


class RestartState(msgspec.Struct, frozen=True):
    """A child's failures in a row, and the time of the last one (Unix seconds)."""

    failures: int = 0
    last_failure: float = 0.0


class RestartStore(Protocol):
    """Keeps restart states between processes. Errors that it raises are logged.

    A supervisor's thread calls `load` at the first failure of a child. The notifier's thread calls
    `save` after each failure.
    """

    def load(self, address: str) -> RestartState | None:
        """Return the state that was saved last for the address, or None."""

    def save(self, address: str, state: RestartState) -> None:
        """Save the state of the address."""


class Backoff(msgspec.Struct, frozen=True):
    """The delays, in seconds. With `initial=0` every restart is immediate."""

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.1
    reset_after: float = 60.0

    def __post_init__(self) -> None:
        if self.initial < 0 or self.factor < 1 or self.maximum < self.initial:
            raise ValueError("a back-off needs 0 <= initial <= maximum and factor >= 1")
        if not 0 <= self.jitter < 1 or self.reset_after < 0:
            raise ValueError("a back-off needs 0 <= jitter < 1 and reset_after >= 0")

    def after_failure(self, state: RestartState, now: float, lived: float) -> RestartState:
        """Return the state after a failure at `now` (Unix seconds) of a life of `lived` seconds."""
        forgiven = lived >= self.reset_after
        return RestartState(1 if forgiven else state.failures + 1, now)

    def recall(self, state: RestartState | None, now: float) -> RestartState:
        """Return a loaded state, or one without failures if the last failure is long ago."""
        longest_gap = self.maximum * (1 + self.jitter) + self.reset_after
        if state is None or now - state.last_failure > longest_gap:
            return RestartState()
        return state

    def delay(self, state: RestartState, rng: random.Random) -> float:
        """Return the seconds to wait before the next start, jitter included."""
        if self.initial == 0 or state.failures == 0:
            return 0.0
        # The exponent is capped: a float overflows after about a thousand doublings.
        plain = min(self.initial * self.factor ** min(state.failures - 1, 100), self.maximum)
        spread = plain * (1 + self.jitter * rng.uniform(-1, 1))
        return min(spread, self.maximum)


NO_BACKOFF = Backoff(initial=0)
"""Restart at once, as OTP does."""
