"""Changing a few keys of somebody's configuration file and nothing else.

Pure functions from text to text, and one that puts a file in place. TOML keeps its comments and
order (tomlkit). JSON keeps its order, indentation and unknown keys; comments are read (JSONC) but
cannot be kept, so whoever edits a file in place keeps a backup. `ConfigError` where a file is not
what its name says.
"""

import fnmatch
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, Literal

import tomlkit
import tomlkit.exceptions

Format = Literal["json", "toml"]
_ABSENT: Final = object()
# A string, or what only JSONC has: comments, and a comma before a closing bracket.
_JSONC: Final = re.compile(
    r'(?P<kept>"(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])',
    re.DOTALL,
)


class ConfigError(Exception):
    """A configuration file that cannot be read or does not have the shape its keys need."""


class Document:
    """A parsed file: look up, set and remove keys by their path, then write it out again."""

    def __init__(self, text: str, kind: Format) -> None:
        self._kind = kind
        self._end = "\n" if text.endswith("\n") or not text else ""
        self._indent = _indent_of(text)
        self._done: dict[tuple[str, ...], Any] = {}
        self.root: MutableMapping[str, Any] = _parse(text, kind)

    def get(self, path: tuple[str, ...]) -> Any:
        """The value there as plain data; raises `KeyError` where there is none."""
        value = _at(self.root, path)
        return value.unwrap() if hasattr(value, "unwrap") else value

    def plain(self) -> dict[str, Any]:
        """The whole as plain data."""
        whole: Any = self.root
        return dict(whole.unwrap() if hasattr(whole, "unwrap") else whole)

    def set(self, path: tuple[str, ...], value: Any) -> None:
        """Put `value` there, making the tables on the way."""
        table = self.root
        for at, key in enumerate(path[:-1]):
            if key not in table:
                table[key] = tomlkit.table() if self._kind == "toml" else {}
            table = table[key]
            if not isinstance(table, MutableMapping):
                raise ConfigError(f"{'.'.join(path[: at + 1])} is not a table")
        table[path[-1]] = value
        self._done[path] = value

    def remove(self, path: tuple[str, ...]) -> None:
        """Take the key away, and the tables that became empty by it. Absent is well."""
        self._done[path] = _ABSENT
        tables = [self.root]
        for key in path[:-1]:
            inner = tables[-1].get(key)
            if not isinstance(inner, MutableMapping):
                return
            tables.append(inner)
        tables[-1].pop(path[-1], None)
        for depth in range(len(tables) - 1, 0, -1):
            if not tables[depth]:
                del tables[depth - 1][path[depth - 1]]

    def matching(self, pattern: str) -> list[tuple[str, ...]]:
        """The paths that fit a dotted pattern; each part may hold `*` (`env.ANTHROPIC_*`)."""
        found: list[tuple[tuple[str, ...], Any]] = [((), self.root)]
        for part in pattern.split("."):
            found = [
                ((*path, key), value[key])
                for path, value in found
                if isinstance(value, Mapping)
                for key in value
                if fnmatch.fnmatchcase(key, part)
            ]
        return [path for path, _ in found]

    def dump(self) -> str:
        """The file's text, read once more to see that every change is in it (tomlkit can lose a
        key that is put in before another is taken out). Raises `ConfigError` if not.
        """
        if self._kind == "toml":
            text = tomlkit.dumps(self.root)
        else:
            text = json.dumps(self.root, indent=self._indent, ensure_ascii=False) + self._end
        written = _parse(text, self._kind)
        for path, value in self._done.items():
            try:
                there = _at(written, path)
            except KeyError:
                there = _ABSENT
            if there != value:
                raise ConfigError(f"{'.'.join(path)} could not be changed safely")
        return text


def edited(text: str, kind: Format, values: Mapping[str, Any], drop: Iterable[str] = ()) -> str:
    """`text` without the keys that fit `drop` and with `values` merged in."""
    document = Document(text, kind)
    for pattern in drop:
        for path in document.matching(pattern):
            document.remove(path)
    for path, value in leaves(values):
        document.set(path, value)
    return document.dump()


def leaves(values: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """(path, value) of everything in nested tables that is not itself a table with keys."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += [((key, *path), inner) for path, inner in leaves(value)]
        else:
            found.append(((key,), value))
    return found


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Replace a file in one step, on disk before it takes the old one's place."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(value, Mapping):
            raise KeyError(path)
        value = value[key]
    return value


def _parse(text: str, kind: Format) -> MutableMapping[str, Any]:
    if kind == "toml":
        try:
            return tomlkit.parse(text)
        except tomlkit.exceptions.TOMLKitError as error:
            raise ConfigError(f"not TOML: {error}") from error
    try:
        root = json.loads(_JSONC.sub(lambda found: found["kept"] or "", text) or "{}")
    except ValueError as error:
        raise ConfigError(f"not JSON: {error}") from error
    if not isinstance(root, dict):
        raise ConfigError("not a JSON object")
    return root


def _indent_of(text: str) -> int | str | None:
    """The indentation the file uses; two blanks for a new one."""
    found = re.search(r"\{\s*\n([ \t]+)\S", text)
    if found:
        return found[1] if "\t" in found[1] else len(found[1])
    return 2
