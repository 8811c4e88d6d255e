"""Take secrets out of text before it goes to a model: known values, and what looks like a key."""

import re
from collections.abc import Iterable, Mapping

GONE = "[secret]"
_LEAST = 8
"""Shorter values are no secrets, and would hide too much."""

_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|COOKIE|AUTH", re.IGNORECASE)
_LOOKS = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,8000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,200}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,200}|\bgithub_pat_[A-Za-z0-9_]{20,200}"
    r"|\bglpat-[A-Za-z0-9_-]{16,200}|\bxox[abprs]-[A-Za-z0-9-]{10,200}"
    r"|\bA(?:KI|SI)A[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,60}"
    r"|\beyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,2000}"
)
_BEARER = re.compile(r"(?i)\b(bearer|token|api[_-]?key|password|secret)(\s*[:=]\s*|\s+)(\S{8,200})")


def values_of(environment: Mapping[str, str]) -> list[str]:
    """Return the values of the variables whose names say that they are secret, longest first."""
    found = {
        value
        for name, value in environment.items()
        if _NAMES.search(name) and len(value) >= _LEAST and "/" not in value[:1]
    }
    return sorted(found, key=len, reverse=True)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return the text with each of these values, and what looks like a key, replaced."""
    for secret in secrets:
        text = text.replace(secret, GONE)
    text = _LOOKS.sub(GONE, text)
    return _BEARER.sub(_assigned, text)


def _assigned(found: re.Match[str]) -> str:
    """Hide what follows `password:` or `Bearer`, if it has the look of a secret and not a word."""
    value = found[3]
    is_word = value.isalpha() or not any(c.isdigit() for c in value)
    return found[0] if is_word else f"{found[1]}{found[2]}{GONE}"
