"""Change some keys of a user's configuration file and leave the rest as it is.

The functions are pure, from text to text, except for `replace_file`. TOML keeps its comments and
its order (tomlkit). JSON keeps its order, its indentation and unknown keys. Comments in JSON
(JSONC) are accepted but lost, so a caller that edits a file in place must keep a backup. A file
that does not have the expected format raises `ConfigError`.
"""

import fnmatch
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, Literal

Format = Literal["json", "toml"]
_ABSENT: Final = object()
# A string, or what JSONC adds to JSON: comments, and commas before a closing bracket. A string or a
# comment without an end goes to the end of the text, so that no start is tried twice.
_STRING: Final = r'(?P<kept>"(?:[^"\\]|\\.?)*(?:"|\Z))'
_COMMENTS: Final = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMMAS: Final = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


class ConfigError(Exception):
    """A configuration file cannot be parsed, or a key's parent in it is not a table."""


class Document:
    """A parsed configuration file whose keys are read, set and removed by their path."""

    def __init__(self, text: str, kind: Format) -> None:
        self._kind = kind
        self._end = "\n" if text.endswith("\n") or not text else ""
        self._indent = _indent_of(text)
        self._done: dict[tuple[str, ...], Any] = {}
        self.root: MutableMapping[str, Any] = _parse(text, kind)

    def get(self, path: tuple[str, ...]) -> Any:
        """Return the value at `path` as plain data. Raise `KeyError` if there is none."""
        value = _at(self.root, path)
        return value.unwrap() if hasattr(value, "unwrap") else value

    def plain(self) -> dict[str, Any]:
        """Return the whole document as plain data."""
        whole: Any = self.root
        return dict(whole.unwrap() if hasattr(whole, "unwrap") else whole)

    def set(self, path: tuple[str, ...], value: Any) -> None:
        """Set the value at `path`, creating missing tables.

        Raise `ConfigError` if a parent is not a table.
        """
        table = self.root
        for at, key in enumerate(path[:-1]):
            if key not in table:
                table[key] = {}
            table = table[key]
            if not isinstance(table, MutableMapping):
                raise ConfigError(f"{'.'.join(path[: at + 1])} is not a table")
        table[path[-1]] = value
        self._done[path] = value

    def remove(self, path: tuple[str, ...]) -> None:
        """Remove the key, and the tables that this empties. Ignore a key that is not there."""
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
        """Return the paths that match a dotted pattern; a part may hold `*` (`env.ANTHROPIC_*`)."""
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
        """Return the text of the changed document.

        The text is parsed again to check that it holds every change, because tomlkit can lose a key
        that was set before another was removed. Raise `ConfigError` if a change is missing.
        """
        if self._kind == "toml":
            import tomlkit

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
    """Return `text` without the keys that match `drop` and with `values` merged in."""
    document = Document(text, kind)
    for pattern in drop:
        for path in document.matching(pattern):
            document.remove(path)
    for path, value in leaves(values):
        document.set(path, value)
    return document.dump()


def leaves(values: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """Return the `(path, value)` pairs of nested tables. An empty table counts as a value."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += [((key, *path), inner) for path, inner in leaves(value)]
        else:
            found.append(((key,), value))
    return found


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Replace a file atomically. The new data is synced to disk before the rename."""
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
        import tomlkit.exceptions  # takes a thirtieth of a start; few runtimes need it

        try:
            return tomlkit.parse(text)
        except tomlkit.exceptions.TOMLKitError as error:
            raise ConfigError(f"not TOML: {error}") from error
    try:
        root = json.loads(_without(_COMMAS, _without(_COMMENTS, text)) or "{}")
    except ValueError as error:
        raise ConfigError(f"not JSON: {error}") from error
    if not isinstance(root, dict):
        raise ConfigError("not a JSON object")
    return root


def _without(pattern: re.Pattern[str], text: str) -> str:
    """Return the text without what the pattern matches outside of strings."""
    return pattern.sub(lambda found: found["kept"] or "", text)


def _indent_of(text: str) -> int | str | None:
    """Return the indentation that the file uses, or 2 if it has none."""
    found = re.search(r"\{\s*\n([ \t]+)\S", text)
    if found:
        return found[1] if "\t" in found[1] else len(found[1])
    return 2
