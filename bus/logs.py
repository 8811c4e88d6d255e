"""How every process of Callboard writes its log: to standard error, a line or a JSON document each.

A log is read by others than the user: it is sent along with a report. So no line holds a key. What
is typed and what plans say is not logged, and whatever reaches a line all the same (in an error's
text) has the values of secrets taken out: those that `hide` was told, and those of the environment
whose name says so. Control characters are shown and not obeyed.
"""

import fnmatch
import logging
import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from bus.environment import SECRET_NAMES
from bus.visible import visible

SHORTEST = 8
"""Shorter values of the environment are no secrets: `1` and `true` stand in other words."""
HIDDEN = "[secret]"


class Level(StrEnum):
    """The least serious records that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogSettings(msgspec.Struct, frozen=True):
    """What a process writes, and whether as JSON."""

    level: Level = Level.WARNING
    json: bool = False


DEFAULT = LogSettings()

_settings = DEFAULT
_secrets: set[str] = set()


def begin(settings: LogSettings) -> None:
    """Write this process's log from now on. Call this once, before the first thread."""
    global _settings
    _settings = settings
    hide(*(value for name, value in os.environ.items() if _is_secret(name, value)))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if settings.json else _Line())
    logging.basicConfig(handlers=[handler], level=settings.level.upper(), force=True)


def settings() -> LogSettings:
    """Return what this process writes, for the processes that it starts."""
    return _settings


def hide(*secrets: str) -> None:
    """Keep these values out of every line from now on. Any thread may call."""
    _secrets.update(secret for secret in secrets if secret)


def without_secrets(text: str) -> str:
    """Return a text with every secret that is known here replaced."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _is_secret(name: str, value: str) -> bool:
    named = any(fnmatch.fnmatchcase(name.upper(), pattern) for pattern in SECRET_NAMES)
    return named and len(value) >= SHORTEST


def _text(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info and record.exc_info[0] is not None:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    return visible(without_secrets(text))


class _Line(logging.Formatter):
    """`TIME LEVEL LOGGER REQUEST MESSAGE`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        request = getattr(record, "request", "")
        about = f"{record.name} {request} " if request else f"{record.name} "
        return f"{self.formatTime(record)} {record.levelname} {about}{_text(record)}"


class _Json(logging.Formatter):
    """One JSON document: `at` (UTC), `level`, `logger`, `pid`, `message`; `request` if known."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": _text(record),
        }
        if request := getattr(record, "request", ""):
            said["request"] = request
        return msgspec.json.encode(said).decode()
