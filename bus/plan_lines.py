"""Where a key stands in the text of a plan: the line, for error messages."""

import re
from collections import Counter

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(?P<open>\[\[?)(?P<name>[^\[\]]+)\]")
_KEY = re.compile(
    r"""\s*(?P<name>(?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*="""
)
_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*\.?""")


def line_of(text: str, path: Path) -> int | None:
    """The line, from 1, of the key at `path` or else of what it stands in; None if nothing of
    the path is there. The text is TOML that could be read.
    """
    lines = _lines(text)
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def _lines(text: str) -> dict[Path, int]:
    """The first line of each table and key."""
    found: dict[Path, int] = {}
    counts: Counter[Path] = Counter()
    table: Path = ()
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
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
    """The quotes that a text of several lines begins with and does not end on its first."""
    quotes = value.strip()[:3]
    return quotes if quotes in ('"""', "'''") and value.count(quotes) % 2 else ""


def _parts(name: str) -> Path:
    return tuple(next(filter(None, found), "") for found in _PART.findall(name))


def _table(name: Path, several: bool, counts: "Counter[Path]") -> Path:
    """The path of a table, with the number of each array of tables it is in."""
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
