"""Format times for a person: in local time with the zone, or as a duration."""

from datetime import UTC, datetime

from bus import clock


def when(at: str, now: datetime | None = None) -> str:
    """Return a stored time in this machine's zone, with the date if it is not today.

    `2026-11-29T12:00:00Z` becomes `13:00:00+01:00` in Berlin, and `12:00:00Z` in UTC. Text that is
    not a time is returned as it is.
    """
    there = read(at)
    if there is None:
        return at
    local = there.astimezone()
    offset = local.strftime("%z")
    zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    today = (now or clock.wall()).astimezone().date()
    day = "" if local.date() == today else local.strftime("%Y-%m-%d ")
    return f"{day}{local.strftime('%H:%M:%S')}{zone}"


def read(at: str) -> datetime | None:
    """Parse a stored time. Return None if the text is not a time."""
    try:
        there = datetime.fromisoformat(at)
    except ValueError:
        return None
    return there if there.tzinfo else there.replace(tzinfo=UTC)


def since(at: str, now: datetime) -> str:
    """Return how long before `now` a stored time was; "" if the text is not a time."""
    there = read(at)
    return duration((now - there).total_seconds()) if there else ""


def duration(seconds: float) -> str:
    """Return a duration in its two largest units.

    >>> [duration(s) for s in (7, 252, 7500, 180000)]
    ['7 s', '4 min 12 s', '2 h 5 min', '2 d 2 h']
    """
    whole = max(0, int(seconds))
    for size, unit, next_size, next_unit in _UNITS:
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // next_size} {next_unit}"
    return f"{whole} s"


_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
