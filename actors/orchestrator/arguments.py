"""The arguments of a model's answer: read strictly, and held against the schema.

A model's text is not trusted. What two readers of JSON could understand in two ways is refused:
duplicate keys, numbers beyond 64 bits, NaN. So are deep nesting and control characters.
"""

import json
import math
import re
from typing import Any

import msgspec

DEPTH = 16
"""Objects and arrays within each other, at most."""
_INTEGERS = range(-(2**63), 2**63)
_FENCE = "```"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class Misfit(Exception):
    """The arguments are no JSON, or do not fit the schema. The text says where and why."""


def read(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments in a tool's call. Raise `Misfit`."""
    try:
        msgspec.json.decode(text)
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise Misfit(f"the arguments are nested deeper than {DEPTH} levels") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Misfit(f"the arguments are not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Misfit("the arguments must be a JSON object")
    _check_values(value, "", 1)
    check(value, schema)
    return value


def find(text: str) -> str | None:
    """Return the JSON object in a text: the whole, in a fence, or from `{` to `}`; else None."""
    _, fence, fenced = text.partition(_FENCE)
    for inner in (fenced.partition(_FENCE)[0] if fence else "", text):
        start, end = inner.find("{"), inner.rfind("}")
        if 0 <= start < end:
            return inner[start : end + 1]
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def _check_values(value: Any, at: str, depth: int) -> None:
    """Refuse what may be JSON, and what no reader should be given."""
    if depth > DEPTH and isinstance(value, dict | list):
        raise Misfit(f"the arguments are nested deeper than {DEPTH} levels")
    if isinstance(value, str) and (found := _CONTROL.search(value)):
        raise Misfit(f"{at or 'the text'} holds the control character U+{ord(found[0]):04X}")
    if isinstance(value, float) and not math.isfinite(value):
        raise Misfit(f"{at} must be a finite number")
    if isinstance(value, int) and value not in _INTEGERS:
        raise Misfit(f"{at} must be a number of at most 64 bits")
    if isinstance(value, dict):
        for key, each in value.items():
            _check_values(key, f"a key of {at or 'the object'}", depth)
            _check_values(each, _below(at, key), depth + 1)
    if isinstance(value, list):
        for index, each in enumerate(value):
            _check_values(each, f"{at}[{index}]", depth + 1)


def check(value: Any, schema: dict[str, Any], at: str = "") -> None:
    """Raise `Misfit` at the first place where a value does not fit.

    The common words of JSON schema are checked; the caller still decodes the arguments itself.
    """
    where = at or "the object"
    if "anyOf" in schema:
        _check_any(value, schema["anyOf"], at)
    if "const" in schema and value != schema["const"]:
        raise Misfit(f"{where} must be {_shown(schema['const'])}")
    if "enum" in schema and value not in schema["enum"]:
        raise Misfit(f"{where} must be one of {', '.join(map(_shown, schema['enum']))}")
    if "type" in schema:
        _check_type(value, schema["type"], where)
    if isinstance(value, dict):
        _check_object(value, schema, at)
    elif isinstance(value, list):
        _check_size(len(value), schema, "Items", "entries", where)
        for index, each in enumerate(value):
            check(each, schema.get("items", {}), f"{at}[{index}]")
    elif isinstance(value, str):
        _check_size(len(value), schema, "Length", "characters", where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        if not low <= value <= high:
            raise Misfit(f"{where} must be from {low} to {high}")


def _check_any(value: Any, choices: list[dict[str, Any]], at: str) -> None:
    misfits = []
    for choice in choices:
        try:
            return check(value, choice, at)
        except Misfit as misfit:
            misfits.append(str(misfit))
    raise Misfit(" or ".join(misfits))


def _check_type(value: Any, names: str | list[str], where: str) -> None:
    names = [names] if isinstance(names, str) else names
    for name in names:
        is_number = isinstance(value, bool) and name in ("integer", "number")
        if isinstance(value, _TYPES.get(name, (object,))) and not is_number:
            return
    raise Misfit(f"{where} must be of the type {' or '.join(names)}")


def _check_object(value: dict[str, Any], schema: dict[str, Any], at: str) -> None:
    known = schema.get("properties", {})
    missing = [key for key in schema.get("required", ()) if key not in value]
    if missing:
        raise Misfit(f"{_below(at, missing[0])} is missing")
    others = schema.get("additionalProperties", True)
    for key, each in value.items():
        if key in known:
            check(each, known[key], _below(at, key))
        elif others is False:
            raise Misfit(f"{_below(at, key)} is unknown; known are {', '.join(sorted(known))}")
        elif isinstance(others, dict):
            check(each, others, _below(at, key))


def _check_size(size: int, schema: dict[str, Any], word: str, unit: str, where: str) -> None:
    if size < schema.get(f"min{word}", 0):
        raise Misfit(f"{where} must have at least {schema[f'min{word}']} {unit}")
    if size > schema.get(f"max{word}", math.inf):
        raise Misfit(f"{where} must have at most {schema[f'max{word}']} {unit}")


def _below(at: str, key: str) -> str:
    name = key if len(key) <= 60 else key[:59] + "…"
    return f"{at}.{name}" if at else name


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
