"""A plan as the text of a plan file."""

from typing import Any

import msgspec

from bus.checked import ShownPlan
from bus.plan import Plan


def shown_plan(plan: Plan) -> ShownPlan:
    """Return a plan decoded and as TOML; the text describes the same plan."""
    import tomlkit  # takes a thirtieth of a start; few runtimes need it

    raw: dict[str, Any] = msgspec.to_builtins(plan)
    return ShownPlan(raw, tomlkit.dumps(_readable(raw)))


def as_written(value: Any) -> str:
    """Return a value as a plan file has it; a text without its quotes."""
    if isinstance(value, str):
        return value
    import tomlkit

    if not isinstance(value, dict):
        return str(tomlkit.item(value).as_string())
    table = tomlkit.inline_table()
    table.update(value)
    return str(table.as_string())


def _readable(value: Any) -> Any:
    """Return a value whose texts of several lines are written as such."""
    import tomlkit

    match value:
        case dict():
            return {key: _readable(inner) for key, inner in value.items()}
        case list():
            return [_readable(inner) for inner in value]
        case str() if "\n" in value and _is_plain(value):
            return tomlkit.string(value, multiline=True)
    return value


def _is_plain(text: str) -> bool:
    """Return whether a text stands in a multi-line string exactly as it is."""
    return all(c.isprintable() or c in "\n\t" for c in text) and not text.startswith("\n")
