"""Check a change of a running workflow's plan against this machine, before it is decided on."""

from functools import singledispatch
from typing import Any

import msgspec
from msgspec import UnsetType

from actors.plan.check import check_part, check_test
from bus import address as addresses
from bus.errors import Refused
from bus.plan import Plan, TaskPlan
from bus.plan_changes import named, with_task, with_terminal
from bus.plan_requests import PlanSet, TaskAdd, TerminalAdd


@singledispatch
def check_change(_request: Any, _plan: Plan) -> None:
    """Raise `Refused` (422) if this machine cannot do what the changed plan says."""


@check_change.register
def _task(request: TaskAdd, plan: Plan) -> None:
    added = with_task(plan, request.task).task[-1]
    _check(plan, added, "task[0]", "task", branches=True)


@check_change.register
def _terminal(request: TerminalAdd, plan: Plan) -> None:
    id = addresses.task_of(request.task).split("/")[1]
    if id in plan.graph:
        changed = with_terminal(plan, id, request.terminal)
        task = next(each for each in changed.task if each.id == id)
        added = msgspec.structs.replace(task, terminal=task.terminal[-1:])
        _check(plan, added, "task[0].terminal[0]", "terminal", branches=False)


@check_change.register
def _keys(request: PlanSet, plan: Plan) -> None:
    if not isinstance(request.test, UnsetType):
        check_test(request.test, plan.environment)


def _check(plan: Plan, added: TaskPlan, path: str, name: str, *, branches: bool) -> None:
    """Check what was added as if the plan held nothing else; `path` is where it stands then."""
    part = msgspec.structs.replace(plan, task=[added], merge=None, error=None)
    try:
        check_part(part, branches=branches)
    except Refused as error:
        raise named(error, path, name) from error
