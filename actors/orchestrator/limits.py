"""How long and how often a server is asked, and how much it may say."""

import math
import random
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from bus import clock


class Limits(msgspec.Struct, frozen=True):
    """Times are in seconds.

    `answer_bytes` and `error_bytes` limit what is read of one answer. `connect` is for the
    connection with TLS, `chunk` for each wait for more bytes, and `last` for the tokens and the end
    of the stream, once the answer is whole.

    An endpoint that fails in passing is asked `tries` times in one thought, with pauses from about
    `backoff`, doubled each time; one that wants a pause of more than `longest_pause` is given up
    for this thought. After `failures` in a row, an endpoint is left alone for `rest`, doubled up to
    `longest_rest`.
    """

    answer_bytes: int = 1 << 20
    error_bytes: int = 1 << 16
    connect: float = 10.0
    chunk: float = 60.0
    last: float = 2.0
    tries: int = 3
    backoff: float = 1.0
    longest_pause: float = 20.0
    failures: int = 3
    rest: float = 30.0
    longest_rest: float = 600.0


class Breaker:
    """Whether one endpoint may be asked. `now` is a time in seconds that does not jump."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._failures = 0
        self._rests = 0
        self._until = 0.0
        self.reason = ""

    @property
    def wait(self) -> float:
        """For how many seconds the endpoint is left alone."""
        return max(0.0, self._until - self._now())

    def worked(self) -> None:
        """The endpoint has answered."""
        self._failures = self._rests = 0
        self._until = 0.0

    def failed(self, reason: str, after: float) -> None:
        """The endpoint has failed; it asked to be left alone for `after` seconds, 0 if not."""
        self.reason = reason
        self._failures += 1
        rest = min(after, self._limits.longest_rest)
        if self._failures >= self._limits.failures:
            self._failures = self._limits.failures - 1  # one more failure, and it rests again
            rest = max(rest, min(self._limits.rest * 2**self._rests, self._limits.longest_rest))
            self._rests = min(self._rests + 1, 30)
        self._until = max(self._until, self._now() + rest)


def pause(limits: Limits, tried: int) -> float:
    """Return the seconds before the next try; by chance, so that not all come at once."""
    return limits.backoff * 2.0 ** (tried - 1) * random.uniform(0.5, 1.0)


def retry_after(value: str | None) -> float:
    """Return the seconds of a header `Retry-After`, a number or a date; 0 without a valid one."""
    try:
        seconds = float(value or "")
    except ValueError:
        seconds = _until_date(value or "")
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _until_date(value: str) -> float:
    try:
        date = parsedate_to_datetime(value)
        return (date.replace(tzinfo=date.tzinfo or UTC) - clock.wall()).total_seconds()
    except (ValueError, OverflowError, IndexError, TypeError):
        return 0.0
