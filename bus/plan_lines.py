"""The line of a key in the text of a plan, for error messages."""

import re
from collections import Counter

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(?P<open>\[\[?)(?P<name>[^\[\]]+)\]")
_KEY = re.compile(
    r"""\s*(?P<name>(?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*="""
)
_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*\.?""")


def line_of(text: str, path: Path) -> int | None:
    """Return the line, counted from 1, of the key at `path`.

    Without such a key, return the line of the nearest table around it; None if no part of the path
    is found. `text` must be valid TOML.
    """
    lines = _lines(text)
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def _lines(text: str) -> dict[Path, int]:
    """Return the first line of each table and key."""
    found: dict[Path, int] = {}
    counts: Counter[Path] = Counter()
    table: Path = ()
    closing = ""
    for number, line in enumerate(text.split("\n"), 1):
        if closing:
            closing = "" if line.count(closing) % 2 else closing
            continue
        if header := _HEADER.match(line):
            table = _table(_parts(header["name"]), header["open"] == "[[", counts)
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault(table + _parts(key["name"]), number)
            closing = _opened(line[key.end() :])
    return found


def _opened(value: str) -> str:
    """Return the quotes of a multi-line string that does not end on this line, or ""."""
    quotes = value.strip()[:3]
    return quotes if quotes in ('"""', "'''") and value.count(quotes) % 2 else ""


def _parts(name: str) -> Path:
    return tuple(next(filter(None, found), "") for found in _PART.findall(name))


def _table(name: Path, several: bool, counts: "Counter[Path]") -> Path:
    """Return the path of a table, with its index in each array of tables, and count it."""
    path: Path = ()
    for part in name[:-1]:
        path += (part,)
        if counts[path]:
            path += (counts[path] - 1,)
    path += name[-1:]
    if several:
        counts[path] += 1
        path += (counts[path] - 1,)
    return path
