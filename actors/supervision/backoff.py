"""How long to wait before a child that keeps failing is started again.

The first failure is followed by `initial` seconds, each further one by `factor` times as many, up
to `maximum`; `jitter` spreads the delay by that share either way, so that children that failed
together do not return together. A child that has lived for `reset_after` seconds is forgiven.

What is remembered is a `RestartState`. A `RestartStore` keeps it outside the process, so that a
crash of the process does not make a looping child look innocent.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RestartState:
    """How a child has fared: failures in a row, and when the last one was (Unix seconds)."""

    failures: int = 0
    last_failure: float = 0.0


class RestartStore(Protocol):
    """Where restart states are kept between processes. The company implements it.

    `load` is called in the supervisor's thread before a child is started for the first time at its
    address, `save` in the notifier's thread after each failure. What they raise is logged.
    """

    def load(self, address: str) -> RestartState | None:
        """The state saved last for the address, or None."""

    def save(self, address: str, state: RestartState) -> None:
        """Keep the state of the address."""


@dataclass(frozen=True)
class Backoff:
    """The delays, in seconds. `initial=0` switches them off: a restart is then immediate."""

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
        """The state after a failure at `now` (Unix seconds) of a life of `lived` seconds."""
        forgiven = lived >= self.reset_after
        return RestartState(1 if forgiven else state.failures + 1, now)

    def recall(self, state: RestartState | None, now: float) -> RestartState:
        """The state loaded from a store, or a clean one if its last failure is long ago."""
        longest_gap = self.maximum * (1 + self.jitter) + self.reset_after
        if state is None or now - state.last_failure > longest_gap:
            return RestartState()
        return state

    def delay(self, state: RestartState, rng: random.Random) -> float:
        """Seconds to wait before the next start, jitter included; never above `maximum`."""
        if self.initial == 0 or state.failures == 0:
            return 0.0
        # The exponent is capped: a float overflows after about a thousand doublings.
        plain = min(self.initial * self.factor ** min(state.failures - 1, 100), self.maximum)
        spread = plain * (1 + self.jitter * rng.uniform(-1, 1))
        return min(spread, self.maximum)


NO_BACKOFF = Backoff(initial=0)
