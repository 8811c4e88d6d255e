"""Error messages about the keys of a plan, in terms of TOML.

msgspec's own messages name types and fields of Python.
"""

import re
import shlex
from collections.abc import Iterable
from typing import Any

_TYPES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]+)`(?:, got `(?P<got>[^`]+)`)?(?P<more>.*)", re.S)
_BOUND = re.compile(r" (?P<sign>>=|<=|>|<) (?P<bound>[\d.]+)")
_SIGNS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return what of `known` was probably meant."""
    import difflib  # a start meets no wrong name

    return next(iter(difflib.get_close_matches(name, list(known), 1, 0.5)), None)


def unknown(name: str, known: list[str]) -> str:
    """Return the message about an unknown key, with the nearest known one."""
    if near := nearest(name, known):
        return f"unknown field; did you mean `{near}`?"
    return f"unknown field; there are {', '.join(known)}"


def no_task(id: str, known: list[str]) -> str:
    """Return the message about an id that no task has, with the nearest one."""
    near = nearest(id, known)
    return f"there is no task {id!r}" + (f"; did you mean {near!r}?" if near else "")


def wrong(rule: str, key: str, value: Any, choices: list[str]) -> str:
    """Return the message about a wrong value; `rule` is msgspec's message."""
    if choices and isinstance(value, str):
        near = nearest(value, choices)
        meant = f"; did you mean {near!r}?" if near else ""
        return f"must be one of {', '.join(map(repr, choices))}{meant}"
    found = _EXPECTED.match(rule)
    if found is None:
        return rule
    wanted = found["wanted"].removesuffix(" | null")
    if found["got"] is None:
        return _bounded(wanted, found["more"]) or rule
    if wanted == "array" and isinstance(value, dict):
        return f"must be written `[[{key}]]`, with two brackets: there may be several"
    if wanted == "array" and isinstance(value, str):
        return f"must be a list: {_as_list(value)}"
    names = " or ".join(_TYPES.get(each, each) for each in wanted.split(" | "))
    return f"must be {names}, not {_TYPES.get(found['got'], found['got'])}"


def _as_list(value: str) -> str:
    """Return a command on one line as the list that its writer meant."""
    try:
        words = shlex.split(value)
    except ValueError:
        words = [value]
    quoted = ", ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words)
    return f"[{quoted}]"


def _bounded(wanted: str, more: str) -> str:
    """Return the message about a value out of bounds; "" if the rule is not about bounds."""
    if found := _BOUND.search(more):
        bound = f"{_SIGNS[found['sign']]} {found['bound'].removesuffix('.0')}"
        if "length" not in more:
            return f"must be {bound}"
        if found["sign"] == ">=" and found["bound"] == "1":
            return "must not be empty"
        return f"must hold {bound} {'characters' if wanted == 'str' else 'items'}"
    if "[MGT]iB" in more:
        return 'must be a number and `MiB`, `GiB` or `TiB`, like "20GiB"'
    if "matching regex" in more:
        return "must be lower-case letters, digits and `-`, and begin with a letter or a digit"
    return ""
