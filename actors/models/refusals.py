"""What a refusal of a provider means, and when it ends."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from bus.kinds import LimitKind

LONG: Final = 600.0
"""A limit of more seconds is one of usage, not of rate."""
_MOST: Final = 60 * 86_400.0
"""Seconds after which no limit ends; what says more is not believed."""

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SPANS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_IN_BODY: Final = re.compile(
    rb'"(?:resets_in_seconds|retry_after|retryDelay)"\s{0,8}:\s{0,8}"?(\d{1,9}(?:\.\d{1,9})?)'
)
_AT_IN_BODY: Final = re.compile(rb'"resets_at"\s{0,8}:\s{0,8}(\d{9,11})\b')
_USED_UP: Final = re.compile(rb"usage_limit_reached|usage limit|RESOURCE_EXHAUSTED")
_NO_CREDIT: Final = re.compile(rb"insufficient_quota|credit balance|billing_hard_limit")


def kind_of(status: int, body: bytes, until: float, now: float) -> LimitKind:
    """Return what a status of 400 and more says of the account; `NONE` if nothing.

    `body` is the beginning of the answer, `until` the time at which the limit ends, 0 if unknown.
    """
    if status == 401:
        return LimitKind.LOGIN
    if status == 402:
        return LimitKind.CREDIT
    if status >= 500:
        return LimitKind.OVERLOAD
    if status != 429:
        return LimitKind.NONE
    if _NO_CREDIT.search(body):
        return LimitKind.CREDIT
    if until > now + LONG or (not until and _USED_UP.search(body)):
        return LimitKind.USAGE
    return LimitKind.RATE


def reset_of(headers: Mapping[str, str], body: bytes, now: float) -> float:
    """Return the time (Unix seconds) at which a refused account serves again; 0 if not said.

    `headers` have lower-case names. A time that has passed, or is years away, is none.
    """
    for found in (
        _after(headers.get("retry-after", ""), now),
        _number(headers.get("retry-after-ms", "")) / 1000 + now,
        _number(headers.get("anthropic-ratelimit-unified-reset", "")),
        _exhausted(headers, now),
        _of_body(body, now),
    ):
        if now < found < now + _MOST:
            return found
    return 0.0


def _after(text: str, now: float) -> float:
    if seconds := _number(text):
        return now + seconds
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _exhausted(headers: Mapping[str, str], now: float) -> float:
    """Return the latest reset of the limits that have nothing left."""
    found = [0.0]
    for name, value in headers.items():
        if name.startswith("anthropic-ratelimit-") and name.endswith("-reset"):
            left = headers.get(name.removesuffix("-reset") + "-remaining", "")
            found.append(_stamp(value) if left == "0" else 0.0)
        elif name.startswith("x-ratelimit-reset"):
            left = headers.get(name.replace("-reset", "-remaining", 1), "")
            found.append(_span(value, now) if left == "0" else 0.0)
    return max(found)


def _stamp(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _span(text: str, now: float) -> float:
    """`6m0s`, `12ms`, seconds, or the time itself in seconds."""
    if seconds := _number(text):
        return seconds if seconds > now / 2 else now + seconds
    parts = _SPAN.findall(text[:64])
    return now + sum(float(number) * _SPANS[unit] for number, unit in parts) if parts else 0.0


def _of_body(body: bytes, now: float) -> float:
    if at := _AT_IN_BODY.search(body):
        return float(at[1])
    found = _IN_BODY.search(body)
    return now + float(found[1]) if found else 0.0


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", text.strip()) else 0.0
