"""Check a change of a running workflow's plan against this machine, before it is decided on."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import UnsetType

from actors.clis.models import of_orchestrator
from actors.plan.check import check_cli, check_part, check_test
from actors.plan.instructions import in_task, in_terminal
from bus import address as addresses
from bus.action import Action, Do
from bus.errors import Refused, illegal
from bus.plan import Plan, TaskPlan, TerminalPlan
from bus.plan_changes import named, with_task, with_terminal
from bus.plan_requests import PlanChange, PlanSet, TaskAdd, TerminalAdd
from bus.reasons import Reason
from bus.requests import WorkflowRepair, WorkflowStart


def check_command(request: Any, plan: Plan) -> None:
    """Check a command that needs something of this machine. Raise `Refused` if it is missing.

    A repair names a program, and a start needs the key of the orchestrator's model.
    """
    if isinstance(request, WorkflowRepair) and request.cli:
        check_cli(plan, request.cli, "cli")
    elif isinstance(request, WorkflowStart):
        found, missing = of_orchestrator(plan)
        if missing and not found:
            raise illegal(
                Reason.NO_KEY,
                f"{missing[0]}; set it and start the runtime again, or take [orchestrator] out",
                actions=[Action(Do.STOP_RUNTIME), Action(Do.SERVE)],
            )


def checked_change(request: PlanChange, plan: Plan, home: Path) -> PlanChange:
    """Return the request, with the texts of the files that it names and its sandboxes decided.

    `home` is the runtime's.
    Raise `Refused` (422) if this machine cannot do what the changed plan says.
    """
    match request:
        case TaskAdd():
            request.task = in_task(request.task, request.base)
            added = with_task(plan, request.task).task[-1]
            _check(plan, home, added, "task[0]", "task", branches=True)
            for raw, terminal in zip(request.task["terminal"], added.terminal, strict=True):
                raw |= _fence(terminal)
        case TerminalAdd():
            _check_terminal(request, plan, home)
        case PlanSet() if not isinstance(request.test, UnsetType):
            check_test(request.test, plan.environment)
    return request


def _fence(terminal: TerminalPlan) -> dict[str, str | None]:
    """Return what the check decided, for the request."""
    return {key: getattr(terminal, key) for key in ("sandbox", "unfenced", "fence")}


def _check_terminal(request: TerminalAdd, plan: Plan, home: Path) -> None:
    id = addresses.task_of(request.task).split("/")[1]
    request.terminal = in_terminal(request.terminal, request.base)
    if id in plan.graph:
        changed = with_terminal(plan, id, request.terminal)
        task = next(each for each in changed.task if each.id == id)
        added = msgspec.structs.replace(task, terminal=task.terminal[-1:])
        _check(plan, home, added, "task[0].terminal[0]", "terminal", branches=False)
        request.terminal |= _fence(added.terminal[0])


def _check(
    plan: Plan, home: Path, added: TaskPlan, path: str, name: str, *, branches: bool
) -> None:
    """Check what was added as if the plan held nothing else; `path` is where it stands then."""
    part = msgspec.structs.replace(plan, task=[added], merge=None, error=None)
    try:
        check_part(part, home, branches=branches)
    except Refused as error:
        raise named(error, path, name) from error
