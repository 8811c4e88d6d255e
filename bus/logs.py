"""How every process of Callboard writes its log: to standard error, a line or a JSON document each.

A log is read by others than the user: it is sent along with a report. So no line holds a key. What
is typed and what plans say is not logged, and whatever reaches a line all the same (in an error's
text) has the values of secrets taken out: those that `hide` was told, and those of the environment
whose name says so. Control characters are shown and not obeyed.

Standard error may be a pipe that nobody reads, or a terminal that was halted with Ctrl-S. Nobody
who logs waits for it: a thread of its own writes, and lines that find no room are counted.
"""

import fnmatch
import logging
import os
import sys
import threading
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from bus.environment import SECRET_NAMES
from bus.visible import visible

SHORTEST = 8
"""Shorter values of the environment are no secrets: `1` and `true` stand in other words."""
HIDDEN = "[secret]"
WAITING_LINES = 1_000
"""Lines that may wait to be written; further ones are dropped."""
END_SECONDS = 1.0
"""How long a process that ends waits for its last lines to be written."""


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

_OWN = ("callboard", "actors")
"""Who may say more than warnings. Libraries log statements with their values, headers, queries, and
what is typed through a WebSocket."""

_settings = DEFAULT
_secrets: set[str] = set()


def begin(settings: LogSettings) -> None:
    """Write this process's log from now on. Call this once, before the first thread."""
    global _settings
    _settings = settings
    hide(*(value for name, value in os.environ.items() if _is_secret(name, value)))
    handler = _Aside()
    handler.setFormatter(_Json() if settings.json else _Line())
    level = logging.getLevelName(settings.level.upper())
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    for own in _OWN:
        logging.getLogger(own).setLevel(level)


def end() -> None:
    """Wait until all lines are written, but for `END_SECONDS` at most.

    A process that ends otherwise than with `os._exit` does so by itself.
    """
    for handler in logging.getLogger().handlers:
        handler.flush()


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


class _Aside(logging.Handler):
    """Writes to standard error in a thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._to = sys.stderr.fileno()  # the stream has a lock, which a write that hangs keeps
        self._lines: deque[str] = deque()
        self._changed = threading.Condition()
        self._dropped = 0
        self._writing = False
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Leave a record to the thread. Called with the handler's lock."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as the handlers of `logging` do
            self.handleError(record)
            return
        with self._changed:
            if len(self._lines) >= WAITING_LINES:
                self._dropped += 1
                return
            self._lines.append(line)
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait for the thread, but for `END_SECONDS` at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._writing, END_SECONDS)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines)
                lines, dropped = [*self._lines], self._dropped
                self._lines.clear()
                self._dropped, self._writing = 0, True
            if dropped:
                lines.append(self.format(_lost(dropped)))
            left = "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")
            with suppress(OSError):  # nobody reads it any more
                while left:
                    left = left[os.write(self._to, left) :]


def _lost(count: int) -> logging.LogRecord:
    level, said = logging.WARNING, f"{count} lines of this log found no room and are lost"
    return logging.LogRecord("callboard.log", level, __file__, 0, said, None, None)


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
