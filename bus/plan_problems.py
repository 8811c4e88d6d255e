"""All faults of a plan at once, although msgspec stops at the first.

A copy of the plan is converted, corrected at the fault that msgspec reports, and converted again,
until the copy has no fault.
"""

import copy
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec

from bus import plan_words
from bus.plan_lines import Path

P = TypeVar("P", covariant=True)

MOST = 50
"""Largest number of faults that are reported."""

_AT = re.compile(r" - at `\$\.?(?P<path>.*)`$", re.S)
_FIELD = re.compile(r"field `(?P<field>.*)`$", re.S)
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.?([^.\[\]]+)")


class Problem(NamedTuple):
    """One fault: the path of the key, and the rule that it breaks."""

    path: Path
    rule: str


class Shape(msgspec.Struct, Generic[P], frozen=True):
    """The structure of a plan.

    `convert` converts the whole plan. `structs` holds its structs by path, in which `*` stands for
    any name. `values` holds the converters for the values of its tables of tables.
    """

    convert: Callable[[Any], P]
    structs: Mapping[tuple[str, ...], Any]
    values: Mapping[str, Callable[[Any], Any]]


def spelled(path: Path) -> str:
    """Return a path as people write it.

    >>> spelled(("task", 0, "branch"))
    'task[0].branch'
    """
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def collect(raw: Any, shape: Shape[P]) -> tuple[P | None, list[Problem]]:
    """Return the corrected plan, or None if it cannot be corrected, and its faults."""
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
    """Return the problem in a message of msgspec, and a function that corrects the draft."""
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
    """Return msgspec's path with the name in the draft for `[...]`, as in `provider[...]`."""
    path: Path = ()
    for index, name in _STEP.findall(text):
        if index == "...":
            path += (_failing(_value(draft, path), shape.values.get(spelled(path))),)
        else:
            path += (int(index) if index else name,)
    return path


def _failing(table: Any, convert: Callable[[Any], Any] | None) -> str:
    """Return the first name in a table of tables whose value cannot be converted."""
    if convert is None or not isinstance(table, dict):
        return "..."
    for name, value in table.items():
        try:
            convert(value)
        except msgspec.ValidationError:
            return str(name)
    return "..."


def _value(draft: Any, path: Path) -> Any:
    """Return the value at a path; None if there is none."""
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
    """Return the allowed values of a key that takes one of a few texts."""
    struct = _struct(path[:-1], shape) if path else None
    hint = get_type_hints(struct).get(str(path[-1])) if struct else None
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return [str(each) for each in hint]
    parts = [part for each in get_args(hint) for part in get_args(each) or (each,)]
    return [each for each in parts if isinstance(each, str)]


def _rename(draft: Any, path: Path, known: list[str]) -> None:
    """Rename an unknown key to the nearest known one, or remove it."""
    table, name = _value(draft, path[:-1]), str(path[-1])
    value = table.pop(name)
    near = plan_words.nearest(name, known)
    if near and near not in table:
        table[near] = value


def _put(draft: Any, path: Path) -> None:
    """Put a valid value at the path, where one is missing or wrong."""
    _value(draft, path[:-1])[path[-1]] = _fitting(path)


def _replace(draft: Any, path: Path, shape: Shape[P]) -> None:
    """Remove a wrong value if its key is optional; otherwise put a valid one."""
    table, last = _value(draft, path[:-1]), path[-1]
    struct = _struct(path[:-1], shape)
    if isinstance(last, str) and isinstance(table, dict):
        fields = {f.name: f for f in msgspec.structs.fields(struct)} if struct else {}
        if last not in fields or not fields[last].required:
            del table[last]
            return
    _put(draft, path)


def _fitting(path: Path) -> Any:
    """Return a value that is valid for the key at `path` and differs from other keys' values."""
    unique = "x" + "".join(f"-{part}" for part in path if isinstance(part, int))
    terminal = {"cli": "x", "instruction": "x"}
    task = {"id": unique, "branch": unique, "terminal": [terminal]}
    known: dict[str, Any] = {"task": [task], "terminal": [terminal], "api_type": "openai"}
    if isinstance(path[-1], int):
        known = {"task": task, "terminal": terminal}
        return known.get(str(path[-2]) if len(path) > 1 else "", "x")
    return known.get(path[-1], unique)
