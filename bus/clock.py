"""The two clocks. Only this module reads the wall clock.

`wall` dates facts and commits, for people. It jumps: the network corrects it, a person sets it, a
laptop wakes up. So no wait and no limit uses it, but for one: a provider says at which time of day
it serves again.

`awake` measures limits. It never jumps, it is the same in every process until the machine reboots,
and it stands still while the machine sleeps (`CLOCK_MONOTONIC`). A reading may be stored, because
it stays valid when the runtime restarts. A reading of an earlier boot belongs to a program that is
gone.
"""

import time
from datetime import UTC, datetime, timedelta, tzinfo


class _Here(tzinfo):
    """The zone of this machine on each day of the year, where `astimezone()` has today's offset."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return the offset at a time of day of this zone."""
        return dt.replace(tzinfo=None).astimezone().utcoffset() if dt is not None else None

    def dst(self, _dt: datetime | None) -> timedelta | None:
        """Return None: it is not told apart."""
        return None

    def tzname(self, _dt: datetime | None) -> str | None:
        """Return None: nobody asks."""
        return None

    def fromutc(self, dt: datetime) -> datetime:
        """Return the time of this zone at a time of UTC."""
        local = dt.replace(tzinfo=UTC).astimezone()
        made = local.replace(tzinfo=self)
        # the second of two hours of the same name, at the end of summer time
        return made if made.utcoffset() == local.utcoffset() else made.replace(fold=1)


HERE = _Here()


def wall() -> datetime:
    """Return the wall clock's time, in UTC."""
    return datetime.now(UTC)


def stamp() -> str:
    """Return `wall` in the form of facts: RFC 3339 with microseconds and `Z`."""
    return text(wall())


def text(at: datetime) -> str:
    """Return a time with a zone in the form of facts."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def has_passed(at: str) -> bool:
    """Return whether a time in the form of facts has passed; False for ""."""
    return bool(at) and wall() >= datetime.fromisoformat(at)


def awake() -> float:
    """Return the seconds since some moment before the machine's start, not counting sleep."""
    return time.monotonic()


def awake_since(reading: float) -> float:
    """Return the seconds since a reading of `awake`.

    Return 0 if no reading was taken (`reading` is 0), or if the reading lies in the future because
    it was taken in an earlier boot.
    """
    return max(0.0, awake() - reading) if reading else 0.0
