"""Read the session files of a config home: the tokens that were used, and what can go on.

A profile says where the files are and where in each line the numbers stand (`[NAME.usage]`). The
program may be hostile: its files are opened with limits, and a number that is none counts nothing.
What cannot be read is unknown, and never 0.
"""

import itertools
import json
import re
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.clis.profile import Profile
from actors.platform.files import read_bounded

MOST_FILES: Final = 500
MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of one file that are read; a larger one makes the usage unknown."""
_MOST: Final = 10**12


class Counted(msgspec.Struct, frozen=True):
    """Tokens and requests since the start of a config home.

    `input` includes `cached`, the tokens that were read from a cache; `output` includes thoughts.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    requests: int = 0

    def less(self, before: "Counted") -> "Counted":
        """Return what came after `before`; nothing is ever taken away."""
        pairs = zip(_numbers(self), _numbers(before), strict=True)
        return Counted(*(max(0, now - then) for now, then in pairs))

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input + self.output


def _numbers(counted: Counted) -> tuple[int, int, int, int]:
    return counted.input, counted.output, counted.cached, counted.requests


def count(profile: Profile, home: Path) -> Counted | None:
    """Return what the program in this config home has used; None if that is unknown.

    It is unknown if the profile does not say how to read it, or a file cannot be read.
    """
    rule = profile.usage
    root = home / profile.home.inside
    if not rule.files or not rule.input:
        return None
    paths = sorted(itertools.islice(root.glob(rule.files), MOST_FILES + 1))
    if not paths or len(paths) > MOST_FILES:
        return None
    found: dict[tuple[str, Any], tuple[int, int, int]] = {}
    try:
        for path in paths:
            data = read_bounded(path, MOST_BYTES, follow=False)
            for number, line in enumerate(data.split(b"\n")):
                _read_line(profile, str(path), number, line, found)
    except OSError:
        return None
    given, made, cached = (sum(each[at] for each in found.values()) for at in range(3))
    return Counted(given, made, cached, len(found))


def newest_session(profile: Profile, home: Path) -> str:
    """Return the name of the newest session in a config home; "" if there is none.

    The name is group 1 of the profile's `session.id`, found in the name of the session's file.
    """
    rule = profile.session
    if not rule.files:
        return ""
    names: list[tuple[float, str]] = []
    paths = (home / profile.home.inside).glob(rule.files)
    for path in itertools.islice(paths, MOST_FILES):
        found = re.search(rule.id, path.name)
        if found is not None and path.is_file() and not path.is_symlink():
            names.append((path.stat().st_mtime, found[1]))
    return max(names)[1] if names else ""


def _read_line(
    profile: Profile,
    path: str,
    number: int,
    line: bytes,
    found: dict[tuple[str, Any], tuple[int, int, int]],
) -> None:
    """Add the request of one line. A later line of the same request replaces it."""
    rule = profile.usage
    if rule.input[0].rpartition(".")[2].encode() not in line:
        return
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return
    if not isinstance(_at(entry, rule.input[0]), int):
        return
    name = _at(entry, rule.id) if rule.id else None
    key = (path, name if isinstance(name, str | int) else number)
    found[key] = (
        _sum(entry, rule.input),
        _sum(entry, rule.output),
        _sum(entry, rule.cached),
    )


def _sum(entry: Any, paths: tuple[str, ...]) -> int:
    numbers = [value for path in paths if isinstance(value := _at(entry, path), int)]
    return sum(number for number in numbers if 0 <= number < _MOST)


def _at(entry: Any, path: str) -> Any:
    """Return the value at a dotted path; None if there is none."""
    for name in path.split("."):
        if not isinstance(entry, dict):
            return None
        entry = entry.get(name)
    return entry
