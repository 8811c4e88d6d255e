"""The values that a plan takes from `[defaults]`, its own and the user's.

Pure. `own` are the keys of `[defaults]` that are for terminals; the others are for the plan.
"""

from collections.abc import Mapping
from typing import Any


def with_users(
    raw: dict[str, Any], of_user: Mapping[str, Any], own: frozenset[str]
) -> dict[str, Any]:
    """Return the plan with the user's defaults below its own.

    Leave a plan that does not have the form of one as it is; the conversion refuses it later.
    """
    if not of_user or not isinstance(raw, dict) or not isinstance(raw.get("defaults", {}), dict):
        return raw
    for_plan = {key: value for key, value in of_user.items() if key not in own}
    for_terminals = {key: value for key, value in of_user.items() if key in own}
    return {**for_plan, **raw, "defaults": {**for_terminals, **raw.get("defaults", {})}}


def with_defaults(raw: dict[str, Any], own: frozenset[str]) -> dict[str, Any]:
    """Return the plan with the values of `[defaults]` in each terminal that lacks them.

    Leave any part that does not have the form of a plan as it is; the conversion refuses it later.
    """
    defaults = raw.get("defaults") if isinstance(raw, dict) else None
    if not isinstance(defaults, dict) or not set(defaults) <= own:
        return raw

    def filled(table: Any) -> Any:
        return {**defaults, **table} if isinstance(table, dict) else table

    def with_terminals(task: Any) -> Any:
        if not isinstance(task, dict) or not isinstance(task.get("terminal"), list):
            return task
        return {**task, "terminal": [filled(terminal) for terminal in task["terminal"]]}

    changed: dict[str, Any] = {
        name: filled(raw[name]) for name in ("merge", "error") if name in raw
    }
    if isinstance(raw.get("task"), list):
        changed["task"] = [with_terminals(task) for task in raw["task"]]
    return {**raw, **changed}
