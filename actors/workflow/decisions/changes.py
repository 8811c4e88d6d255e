"""What a person's changes of the plan do while a workflow is there, and when they are refused.

Each change is stored in the plan and in the rows, with a fact. The plan is checked as at its
submission; what needs the repository or the installed programs was checked before (`plan.change`).
"""

from typing import Any

import msgspec
from msgspec import UNSET

from actors.workflow.decisions import offers, outcomes
from actors.workflow.decisions.commands import command, not_landing, task_of_order
from actors.workflow.decisions.draft import Draft
from bus import plan_requests as requests
from bus.action import Action, Do
from bus.errors import illegal, unknown
from bus.facts import (
    InstructionReplaced,
    PlanChanged,
    TaskAdded,
    TaskCancelled,
    TerminalAdded,
)
from bus.graph import dependants
from bus.plan_changes import (
    with_instruction,
    with_keys,
    with_order,
    with_task,
    with_terminal,
)
from bus.reasons import Reason
from bus.rows import Task
from bus.status import FINAL_WORKFLOW, TaskStatus, TerminalStatus, WorkflowStatus

_NOT_BEGUN = frozenset(
    {
        TerminalStatus.NOT_STARTED,
        TerminalStatus.STARTING,
        TerminalStatus.WAITING,
        TerminalStatus.FAILED,
        TerminalStatus.CANCELLED,
    }
)


def _require_tasks(draft: Draft) -> None:
    """Refuse a change of the tasks of a workflow that is over, or that merges its branches."""
    workflow = draft.workflow
    if workflow.status in FINAL_WORKFLOW:
        raise illegal(
            Reason.ALREADY_OVER,
            f"{workflow.address} is {workflow.status}; its plan does not change any more",
            actions=[Action(Do.WHY, workflow.address)],
        )
    not_landing(draft)
    if workflow.status == WorkflowStatus.MERGING:
        raise illegal(
            Reason.MERGING,
            f"{workflow.address} merges its branches; give the merge up before its tasks change",
            actions=[Action(Do.ABORT_MERGE, workflow.address)],
        )


def _go_on(draft: Draft, reason: str) -> None:
    """Let a workflow that has failed go on with the changed plan, unless it has never worked."""
    if draft.workflow.status == WorkflowStatus.FAILED and offers.has_worked(draft):
        draft.set_merge(resolution="", repaired="", commit="", runs=0, tested=False)
    offers.go_on_after_failure(draft, reason)


def _starts(draft: Draft, task: Task) -> bool:
    """Return whether the terminals of a task are to be started as soon as there is a place."""
    idle = (WorkflowStatus.CREATED, WorkflowStatus.FAILED)
    open_task = task.status not in (TaskStatus.FAILED, TaskStatus.CANCELLED)
    return draft.workflow.status not in idle and open_task and not task.waits


# ---- tasks -------------------------------------------------------------------------------


@command.register
def _add_task(order: requests.TaskAdd, draft: Draft) -> None:
    """Add a task. A workflow that failed after its start goes on with it."""
    _require_tasks(draft)
    draft.set_plan(with_task(draft.plan, order.task))
    task = draft.add_task(draft.plan.task[-1])
    draft.tell(
        TaskAdded(
            address=task.address,
            branch=task.branch,
            after=task.after,
            by=draft.caller.by,
            peer=draft.caller.peer,
        )
    )
    _go_on(draft, f"{task.address} was added")
    if _starts(draft, task):
        for terminal in task.line:
            draft.set_terminal(terminal, wanted=True)


@command.register
def _cancel_task(order: requests.TaskCancel, draft: Draft) -> None:
    """Give up a task. Those that come after it wait for a person (`task.retry` goes without it)."""
    _require_tasks(draft)
    task = task_of_order(draft, order.task)
    if task.status == TaskStatus.CANCELLED:
        raise illegal(
            Reason.ALREADY_OVER,
            f"{task.address} is cancelled already",
            actions=[Action(Do.WHY, task.address)],
        )
    ids = dependants(draft.workflow.graph, task.id)
    later = [t for t in draft.workflow.tasks if t.id in ids and t.status != TaskStatus.CANCELLED]
    built = next((t for t in later if t.base), None)
    if built is not None:
        raise illegal(
            Reason.BUILT_UPON,
            f"{built.address} is built upon {task.address}; give that up first",
            actions=[Action(Do.CANCEL_TASK, built.address)],
        )
    for terminal in task.terminals:
        outcomes.cancel(draft, terminal, "its task was given up by a person")
    waiting = [t.address for t in later]
    reason = "given up by a person"
    if waiting:
        reason += f"; after it come {', '.join(waiting)}"
    draft.set_task(task, held="", checking="")
    draft.move_task(task, TaskStatus.CANCELLED, reason)
    draft.tell(
        TaskCancelled(
            address=task.address,
            branch=task.branch,
            commit=task.tip,
            dependants=waiting,
            by=draft.caller.by,
            peer=draft.caller.peer,
        )
    )
    _go_on(draft, f"{task.address} was given up")


@command.register
def _move_task(order: requests.TaskMove, draft: Draft) -> None:
    """Give a task another place in the order of launching and merging."""
    _require_tasks(draft)
    task = task_of_order(draft, order.task)
    rest = [t for t in draft.workflow.tasks if t is not task]
    place = min(order.position, len(rest) + 1) - 1
    before, behind = rest[:place], rest[place:]
    wrong = next((t for t in behind if t.id in task.after), None)
    wrong = wrong or next((t for t in before if task.id in t.after), None)
    if wrong is not None:
        first, second = (wrong, task) if wrong.id in task.after else (task, wrong)
        raise illegal(
            Reason.WRONG_ORDER,
            f"{second.address} comes after {first.address}, so it cannot be merged before",
            actions=[Action(Do.WHY, task.address)],
        )
    tasks = [*before, task, *behind]
    draft.workflow.tasks = tasks
    for position, each in enumerate(tasks, start=1):
        draft.set_task(each, position=position)
    ids = [t.id for t in tasks]
    draft.set_plan(with_order(draft.plan, ids))
    _tell_changed(draft, order=ids)


# ---- terminals ---------------------------------------------------------------------------


@command.register
def _add_terminal(order: requests.TerminalAdd, draft: Draft) -> None:
    """Add a terminal at the end of a task's line, unless the task is over.

    It is refused while an error terminal repairs the task too: that one was told all that the task
    is, and completes it.
    """
    _require_tasks(draft)
    task = task_of_order(draft, order.task)
    over = task.status in (TaskStatus.COMPLETED, TaskStatus.CANCELLED) or task.reopened
    if over:
        raise illegal(
            Reason.OVER,
            f"{task.address} is {task.status}; another task may come after it",
            actions=[Action(Do.WHY, task.address)],
        )
    error = task.error
    if error is not None and (error.live or error.wanted):
        raise illegal(
            Reason.OVER,
            f"{error.address} repairs {task.address} as a whole; another task may come after it",
            actions=[Action(Do.WHY, task.address)],
        )
    draft.set_plan(with_terminal(draft.plan, task.id, order.terminal))
    plan = next(each for each in draft.plan.task if each.id == task.id).terminal[-1]
    terminal = draft.add_terminal(task, plan)
    draft.tell(
        TerminalAdded(
            address=terminal.address,
            cli=terminal.cli,
            role=terminal.role,
            by=draft.caller.by,
            peer=draft.caller.peer,
        )
    )
    if _starts(draft, task):
        draft.set_terminal(terminal, wanted=True)


@command.register
def _replace_instruction(order: requests.InstructionReplace, draft: Draft) -> None:
    """Give a terminal of the plan another instruction, before it was given its present one."""
    terminal = draft.find(order.terminal)
    task = draft.task_of(terminal) if terminal is not None else None
    if terminal is None or task is None or terminal not in task.line:
        raise unknown("terminal of the plan", order.terminal)
    if draft.workflow.status in FINAL_WORKFLOW or terminal.status not in _NOT_BEGUN:
        action = Action(Do.SEND if terminal.works else Do.WHY, terminal.address)
        raise illegal(
            Reason.ALREADY_SENT,
            f"{terminal.address} is {terminal.status}; it has got its instruction",
            actions=[action],
        )
    text = order.instruction
    draft.set_plan(with_instruction(draft.plan, task.id, terminal.position, text))
    plan = next(each for each in draft.plan.task if each.id == task.id)
    draft.replan(terminal, plan.terminal[terminal.position - 1])
    draft.tell(
        InstructionReplaced(
            address=terminal.address,
            bytes=len(text.encode()),
            by=draft.caller.by,
            peer=draft.caller.peer,
        )
    )


# ---- the plan ----------------------------------------------------------------------------


@command.register
def _set_keys(order: requests.PlanSet, draft: Draft) -> None:
    """Set keys of the plan. The test of a merge that has begun stays."""
    keys = [name for name in order.__struct_fields__ if name not in ("id", "workflow")]
    values = {name: getattr(order, name) for name in keys}
    changes = {n: msgspec.to_builtins(v) for n, v in values.items() if v is not UNSET}
    if "test" in changes or draft.workflow.status in FINAL_WORKFLOW:
        _require_tasks(draft)
    draft.set_plan(with_keys(draft.plan, changes))
    _tell_changed(draft, **changes)


def _tell_changed(draft: Draft, **changes: Any) -> None:
    draft.tell(
        PlanChanged(
            address=draft.workflow.address,
            changes=changes,
            by=draft.caller.by,
            peer=draft.caller.peer,
        )
    )
