"""Recognise that a model's server refuses a program, and until when.

A profile describes the screens of its CLI (`[[NAME.limits]]`): a usage limit, a rate limit, an
overload, a lost login, spent credit, a full context. Pure; the caller passes the time.

The screen is text that a model may have written, so a rule counts only where nothing of a later
turn stands below its match. A model that imitates such a screen makes its own terminal wait.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Final

import msgspec

from actors.clis.profile import Profile
from actors.clis.screen import Screen
from bus.kinds import LimitKind

LONGEST: Final = timedelta(days=35)
"""A reset that is further away is not believed."""
JUST_PASSED: Final = timedelta(hours=1)
"""A time of day that lies no further back is over; one that lies further back is tomorrow's."""

_ESTIMATES: Final = {
    LimitKind.USAGE: timedelta(hours=1),
    LimitKind.RATE: timedelta(minutes=1),
    LimitKind.OVERLOAD: timedelta(minutes=1),
}
"""How long to wait where nothing says so. Without an entry a person decides."""
_LONGEST_ESTIMATE: Final = timedelta(hours=1)

_SPANS: Final = ("days", "hours", "minutes", "seconds")
_TIME: Final = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?(?::\d{2})?\s*([ap])?\.?m?\.?", re.IGNORECASE)
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_WORDS: Final = re.compile(r"([A-Za-z]{3})[a-z]*\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(\d{4}))?")


class Limit(msgspec.Struct, frozen=True):
    """A limit on a screen.

    `text` is what the screen says. `fields` are the named groups of the rule's pattern, for
    `reset_of`. `retries` says that the program goes on by itself.
    """

    by: LimitKind
    text: str
    fields: dict[str, str] = {}
    retries: bool = False


def find_limit(profile: Profile, screen: Screen) -> Limit | None:
    """Return the limit that the screen shows below all else of its turns, or None."""
    newest = _newest_evidence(profile, screen)
    found: tuple[int, Limit] | None = None
    for rule in profile.limits:
        matches = list(re.finditer(rule.pattern, screen.text, re.MULTILINE))
        match = matches[-1] if matches else None
        if match is None or match.end() <= newest or (found and match.start() <= found[0]):
            continue
        fields = {name: value.strip() for name, value in match.groupdict().items() if value}
        text = " ".join(fields.pop("text", match[0]).split())[:300]
        found = match.start(), Limit(LimitKind(rule.by), text, fields, rule.retries)
    return found[1] if found else None


def _newest_evidence(profile: Profile, screen: Screen) -> int:
    """Return where the newest sign of a turn begins; -1 if there is none."""
    if not profile.submit.evidence:
        return -1
    found = [m.start() for m in re.finditer(profile.submit.evidence, screen.text, re.MULTILINE)]
    return found[-1] if found else -1


def reset_of(fields: Mapping[str, str], now: datetime, here: tzinfo) -> datetime | None:
    """Return when a limit ends, in the zone of `now`; None if the fields do not say it.

    `fields` may hold `epoch` (seconds since 1970), spans (`days`, `hours`, `minutes`, `seconds`),
    or a `time` of day with a `date` and a `zone`, as people write them. Without a zone the time is
    that of `here`, whose offset may change before. Any text is accepted; one that is no time gives
    None.
    """
    try:
        until = _reset(fields, now, here)
    except (ValueError, OverflowError, OSError):
        return None
    return until if until is not None and until - now <= LONGEST else None


def _reset(fields: Mapping[str, str], now: datetime, here: tzinfo) -> datetime | None:
    if "epoch" in fields:
        return datetime.fromtimestamp(int(fields["epoch"]), now.tzinfo)
    spans = {name: float(fields[name]) for name in _SPANS if name in fields}
    if spans:
        return now + timedelta(**spans)
    return _clock_time(fields, now, here) if "time" in fields else None


def _clock_time(fields: Mapping[str, str], now: datetime, here: tzinfo) -> datetime | None:
    zone = zone_of(fields["zone"]) if "zone" in fields else here
    if zone is None or not (found := _TIME.fullmatch(fields["time"].strip())):
        return None
    hour, minute = int(found[1]), int(found[2] or 0)
    if half := (found[3] or "").lower():
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    there = now.astimezone(zone).replace(hour=hour, minute=minute, second=0, microsecond=0)
    if "date" in fields:
        return _on_date(fields["date"], there, now)
    if now - there > JUST_PASSED:
        there += timedelta(days=1)
    return there.astimezone(now.tzinfo)


def _on_date(date: str, there: datetime, now: datetime) -> datetime | None:
    if found := _ISO.fullmatch(date.strip()):
        year, month, day = map(int, found.groups())
        return there.replace(year=year, month=month, day=day).astimezone(now.tzinfo)
    if not (named := _WORDS.fullmatch(date.strip())):
        return None
    month, day = _MONTHS.index(named[1].lower()) + 1, int(named[2])
    made = there.replace(year=int(named[3] or there.year), month=month, day=day)
    if not named[3] and there - made > timedelta(days=180):
        made = made.replace(year=made.year + 1)
    return made.astimezone(now.tzinfo)


def zone_of(name: str) -> tzinfo | None:
    """Return the zone of this name; None if the machine does not know it."""
    try:
        from zoneinfo import ZoneInfo  # only where a screen names a zone

        return ZoneInfo(name.strip().removeprefix(":").removeprefix("/usr/share/zoneinfo/"))
    except (KeyError, ValueError, OSError):
        return None


def estimate(by: LimitKind, times: int, now: datetime) -> datetime | None:
    """Return when to try again where nothing says so; None if only a person can help.

    `times` counts the limits in a row: each doubles the wait, up to an hour.
    """
    first = _ESTIMATES.get(by)
    if first is None:
        return None
    return now + min(first * 2.0 ** min(times, 10), max(first, _LONGEST_ESTIMATE))
