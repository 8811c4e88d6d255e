"""The two clocks. Only this module reads the one on the wall.

`wall` is what facts and commits are dated with, for people. It jumps: the network corrects
it, a person sets it, a laptop wakes up. So nothing waits by it, and nothing that counts is
reckoned from it.

`awake` is what limits are counted with: it never jumps, is the same in every process until
the machine starts anew, and stands still while the machine sleeps (`CLOCK_MONOTONIC`). A
reading may be stored: it outlives the runtime, and a reading of an earlier boot belongs to
a program that is gone.
"""

import time
from datetime import UTC, datetime


def wall() -> datetime:
    return datetime.now(UTC)


def stamp() -> str:
    """`wall` as the facts write it: RFC 3339 with microseconds and `Z`."""
    return wall().isoformat(timespec="microseconds").replace("+00:00", "Z")


def awake() -> float:
    """Seconds since some moment before the machine's start."""
    return time.monotonic()


def awake_since(reading: float) -> float:
    """Seconds since a reading of `awake`.

    0 where it says nothing: none was taken (0), or it was taken in an earlier boot and is yet to
    come in this one.
    """
    return max(0.0, awake() - reading) if reading else 0.0
