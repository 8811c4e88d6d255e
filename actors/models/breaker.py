"""The breaker: a provider that fails again and again is asked by one request after a while.

Programs ask again by themselves, some of them ten times a second, and ten terminals ask ten times
as often. After some failures in a row the gateway therefore repeats the last one to them, and lets
one request through after a second, then after 2, 4, 8 and each 15 seconds, until one is answered.
"""

from typing import Final

import msgspec

from bus import clock

FAILURES: Final = 3
"""Failures in a row after which the provider is asked less."""
FIRST: Final = 1.0
LONGEST: Final = 15.0
"""The shortest and the longest time between two requests to a provider that fails, in seconds."""


class Failure(msgspec.Struct, frozen=True):
    """How a provider failed: its answer as it is repeated to a program."""

    status: int
    content_type: bytes
    body: bytes


class _Failing(msgspec.Struct):
    """`until` is when the next request may go through, `probes` whether one has."""

    last: Failure
    times: int = 0
    pause: float = FIRST
    until: float = 0.0
    probes: bool = False


class Breaker:
    """Knows which accounts fail. Belongs to one event loop."""

    def __init__(self) -> None:
        self._failing: dict[str, _Failing] = {}

    def holds(self, account: str) -> tuple[Failure, float] | None:
        """Return the failure to repeat, and the seconds until somebody may ask again.

        None if this request is to go through.
        """
        found = self._failing.get(account)
        if found is None or found.times < FAILURES:
            return None
        left = found.until - clock.awake()
        if left > 0:
            return found.last, left
        found.until, found.probes = clock.awake() + found.pause, True
        return None

    def failed(self, account: str, failure: Failure) -> None:
        """Note that a request failed that went through."""
        found = self._failing.setdefault(account, _Failing(failure))
        found.last = failure
        if found.times < FAILURES:
            found.times += 1
        elif found.probes:  # else it was sent before the provider was known to fail
            found.pause = min(LONGEST, 2 * found.pause)
        found.probes = False
        found.until = max(found.until, clock.awake() + found.pause)

    def served(self, account: str) -> None:
        """Note that the provider has answered."""
        self._failing.pop(account, None)
