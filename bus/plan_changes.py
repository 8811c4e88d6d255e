"""Changes of a plan: each returns the changed plan, checked as `bus.plan.decode` checks a plan.

The error of a key that was added names it as the request does: `task.branch`, `terminal.cli`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bus.errors import Refused
from bus.plan import Plan, decode


def with_task(plan: Plan, task: Mapping[str, Any]) -> Plan:
    """Return the plan with a task added at its end. Raise `Refused` (422)."""
    raw = _raw(plan)
    raw["task"].append(task)
    return _decoded(raw, f"task[{len(plan.task)}]", "task")


def with_terminal(plan: Plan, id: str, terminal: Mapping[str, Any]) -> Plan:
    """Return the plan with a terminal added at the end of the task `id`. Raise `Refused` (422)."""
    raw, index = _raw(plan), _index(plan, id)
    terminals = raw["task"][index]["terminal"]
    terminals.append(terminal)
    return _decoded(raw, f"task[{index}].terminal[{len(terminals) - 1}]", "terminal")


def with_instruction(plan: Plan, id: str, position: int, instruction: str) -> Plan:
    """Return the plan with another instruction of a task's terminal. Raise `Refused` (422)."""
    raw, index = _raw(plan), _index(plan, id)
    raw["task"][index]["terminal"][position - 1]["instruction"] = instruction
    path = f"task[{index}].terminal[{position - 1}].instruction"
    return _decoded(raw, path, "instruction")


def with_order(plan: Plan, ids: Sequence[str]) -> Plan:
    """Return the plan with its tasks in the order of `ids`, which are all of theirs."""
    tasks = {task.id: task for task in plan.task}
    return msgspec.structs.replace(plan, task=[tasks[id] for id in ids])


def with_after(plan: Plan, id: str, after: Sequence[str]) -> Plan:
    """Return the plan with another `after` of a task, which holds less than before."""
    tasks = [
        msgspec.structs.replace(task, after=list(after)) if task.id == id else task
        for task in plan.task
    ]
    return msgspec.structs.replace(plan, task=tasks)


def with_keys(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    """Return the plan with other values of some of its keys. Raise `Refused` (422)."""
    return _decoded({**_raw(plan), **changes}, "", "")


def without(plan: Plan, ids: Sequence[str]) -> Plan:
    """Return the plan without the tasks `ids`, of which nothing is said in it any more."""
    tasks = [
        msgspec.structs.replace(task, after=[id for id in task.after if id not in ids])
        for task in plan.task
        if task.id not in ids
    ]
    return msgspec.structs.replace(plan, task=tasks)


def _raw(plan: Plan) -> dict[str, Any]:
    raw: dict[str, Any] = msgspec.to_builtins(plan)
    return raw


def _index(plan: Plan, id: str) -> int:
    return next(index for index, task in enumerate(plan.task) if task.id == id)


def _decoded(raw: dict[str, Any], path: str, name: str) -> Plan:
    try:
        return decode(raw)
    except Refused as error:
        raise named(error, path, name) from error


def named(error: Refused, path: str, name: str) -> Refused:
    """Return the error with the beginning `path` of its path replaced by `name`."""
    body = error.body
    if not path or not (body.path == path or body.path.startswith((f"{path}.", f"{path}["))):
        return error
    return Refused.told(msgspec.structs.replace(body, path=name + body.path[len(path) :]))
