"""All that is wrong with a plan at once, although msgspec stops at the first fault.

The plan is copied, converted, mended at the place of the fault, and converted again, until
nothing is wrong with the copy.
"""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec

from bus import plan_words
from bus.plan_lines import Path

P = TypeVar("P", covariant=True)

MOST = 50
"""So many faults are told of at most."""

_AT = re.compile(r" - at `\$\.?(?P<path>.*)`$", re.S)
_FIELD = re.compile(r"field `(?P<field>.*)`$", re.S)
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.?([^.\[\]]+)")


class Problem(NamedTuple):
    """One fault: the path of the key, and the rule that it breaks."""

    path: Path
    rule: str


@dataclass(frozen=True)
class Shape(Generic[P]):
    """How a plan is built: the converter of the whole, its structs by path (`*` stands for any
    name), and the converters of the values of its tables of tables.
    """

    convert: Callable[[Any], P]
    structs: Mapping[tuple[str, ...], Any]
    values: Mapping[str, Callable[[Any], Any]]


def spelled(path: Path) -> str:
    """A path as people write it.

    >>> spelled(("task", 0, "branch"))
    'task[0].branch'
    """
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def collect(raw: Any, shape: Shape[P]) -> tuple[P | None, list[Problem]]:
    """The plan, mended where it is wrong, and its faults; None if it cannot be mended."""
    found: list[Problem] = []
    draft = raw
    while len(found) < MOST:
        try:
            return shape.convert(draft), found
        except msgspec.ValidationError as error:
            if draft is raw:
                draft = copy.deepcopy(raw)
            problem, mend = _understood(str(error), draft, shape)
            if problem in found:
                return None, found
            found.append(problem)
            if not problem.path:
                return None, found
            try:
                mend()
            except (KeyError, IndexError, TypeError):
                return None, found
    return None, found


def _understood(text: str, draft: Any, shape: Shape[P]) -> tuple[Problem, Callable[[], None]]:
    """What a message of msgspec is about, and what mends it in the draft."""
    at = _AT.search(text)
    rule = text[: at.start()] if at else text
    path = _path(at["path"], draft, shape) if at else ()
    if field := _FIELD.search(rule):
        path = (*path, field["field"])
        if "unknown field" in rule:
            known = _fields(path[:-1], shape)
            problem = Problem(path, plan_words.unknown(field["field"], known))
            return problem, lambda: _rename(draft, path, known)
        return Problem(path, "missing required field"), lambda: _put(draft, path)
    key = ".".join(part for part in path if isinstance(part, str))
    told = plan_words.wrong(rule, key, _value(draft, path), _choices(path, shape))
    return Problem(path, told), lambda: _replace(draft, path, shape)


def _path(text: str, draft: Any, shape: Shape[P]) -> Path:
    """The path of msgspec, which says `provider[...]` of any provider, as it is in the draft."""
    path: Path = ()
    for index, name in _STEP.findall(text):
        if index == "...":
            path += (_failing(_value(draft, path), shape.values.get(spelled(path))),)
        else:
            path += (int(index) if index else name,)
    return path


def _failing(table: Any, convert: Callable[[Any], Any] | None) -> str:
    """The first name in a table of tables whose value cannot be converted."""
    if convert is None or not isinstance(table, dict):
        return "..."
    for name, value in table.items():
        try:
            convert(value)
        except msgspec.ValidationError:
            return str(name)
    return "..."


def _value(draft: Any, path: Path) -> Any:
    """What is at a path; None if the path leads nowhere."""
    for part in path:
        try:
            draft = draft[part]
        except (KeyError, IndexError, TypeError):
            return None
    return draft


def _struct(path: Path, shape: Shape[P]) -> Any:
    names = tuple(part for part in path if isinstance(part, str))
    any_name = (*names[:-1], "*") if names else ()
    return shape.structs.get(names) or shape.structs.get(any_name)


def _fields(path: Path, shape: Shape[P]) -> list[str]:
    struct = _struct(path, shape)
    return [field.name for field in msgspec.structs.fields(struct)] if struct else []


def _choices(path: Path, shape: Shape[P]) -> list[str]:
    """The values of a key that has a few."""
    struct = _struct(path[:-1], shape) if path else None
    hint = get_type_hints(struct).get(str(path[-1])) if struct else None
    return [each for each in get_args(hint) if isinstance(each, str)]


def _rename(draft: Any, path: Path, known: list[str]) -> None:
    """Take an unknown key for the nearest known one, or away."""
    table, name = _value(draft, path[:-1]), str(path[-1])
    value = table.pop(name)
    near = get_close_matches(name, known, 1, 0.5)
    if near and near[0] not in table:
        table[near[0]] = value


def _put(draft: Any, path: Path) -> None:
    """Put a value that fits where one is missing or wrong."""
    _value(draft, path[:-1])[path[-1]] = _fitting(path)


def _replace(draft: Any, path: Path, shape: Shape[P]) -> None:
    """Take away a wrong value that may be absent; else put one that fits."""
    table, last = _value(draft, path[:-1]), path[-1]
    struct = _struct(path[:-1], shape)
    if isinstance(last, str) and isinstance(table, dict):
        fields = {f.name: f for f in msgspec.structs.fields(struct)} if struct else {}
        if last not in fields or not fields[last].required:
            del table[last]
            return
    _put(draft, path)


def _fitting(path: Path) -> Any:
    """A value that a key can have, and that no other key has."""
    unique = "x" + "".join(f"-{part}" for part in path if isinstance(part, int))
    terminal = {"cli": "x", "instruction": "x"}
    task = {"id": unique, "branch": unique, "terminal": [terminal]}
    known: dict[str, Any] = {"task": [task], "terminal": [terminal], "api_type": "openai"}
    if isinstance(path[-1], int):
        known = {"task": task, "terminal": terminal}
        return known.get(str(path[-2]) if len(path) > 1 else "", "x")
    return known.get(path[-1], unique)
