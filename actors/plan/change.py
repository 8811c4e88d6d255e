"""Check a change of a running workflow's plan against this machine, before it is decided on."""

import msgspec
from msgspec import UnsetType

from actors.plan.check import check_part, check_test
from actors.plan.instructions import in_task, in_terminal
from bus import address as addresses
from bus.errors import Refused
from bus.plan import Plan, TaskPlan
from bus.plan_changes import named, with_task, with_terminal
from bus.plan_requests import PlanChange, PlanSet, TaskAdd, TerminalAdd


def checked_change(request: PlanChange, plan: Plan) -> PlanChange:
    """Return the request, with the texts of the files that it names.

    Raise `Refused` (422) if this machine cannot do what the changed plan says.
    """
    match request:
        case TaskAdd():
            request.task = in_task(request.task, request.base)
            added = with_task(plan, request.task).task[-1]
            _check(plan, added, "task[0]", "task", branches=True)
        case TerminalAdd():
            _check_terminal(request, plan)
        case PlanSet() if not isinstance(request.test, UnsetType):
            check_test(request.test, plan.environment)
    return request


def _check_terminal(request: TerminalAdd, plan: Plan) -> None:
    id = addresses.task_of(request.task).split("/")[1]
    request.terminal = in_terminal(request.terminal, request.base)
    if id in plan.graph:
        changed = with_terminal(plan, id, request.terminal)
        task = next(each for each in changed.task if each.id == id)
        added = msgspec.structs.replace(task, terminal=task.terminal[-1:])
        _check(plan, added, "task[0].terminal[0]", "terminal", branches=False)


def _check(plan: Plan, added: TaskPlan, path: str, name: str, *, branches: bool) -> None:
    """Check what was added as if the plan held nothing else; `path` is where it stands then."""
    part = msgspec.structs.replace(plan, task=[added], merge=None, error=None)
    try:
        check_part(part, branches=branches)
    except Refused as error:
        raise named(error, path, name) from error
