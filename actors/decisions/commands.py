"""What a person's commands do, and in which states they are refused (400)."""

from functools import singledispatch
from http import HTTPStatus

from actors.decisions import outcomes
from actors.decisions.draft import Draft
from bus import requests
from bus.errors import Refused, illegal, unknown
from bus.plan import HelperPlan
from bus.rows import Task
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus

_BY_PERSON = "asked by a person"


@singledispatch
def command(order: requests.Command, draft: Draft) -> None:
    raise TypeError(f"no command: {order!r}")


def _require(draft: Draft, reason: str, *allowed: WorkflowStatus) -> None:
    status = draft.workflow.status
    if status not in allowed:
        words = " or ".join(allowed)
        raise illegal(
            reason,
            f"{draft.workflow.address} is {status}; this needs {words}",
            help=f"python run.py why {draft.workflow.id}",
        )


def _task(draft: Draft, address: str) -> Task:
    task = draft.task_at(address)
    if task is None:
        raise unknown("task", address, help=f"python run.py ps {draft.workflow.id}")
    return task


@command.register
def _prepare(order: requests.WorkflowPrepare, draft: Draft) -> None:
    """From `created`, or again after a prepare that failed."""
    _require(draft, "not_created", WorkflowStatus.CREATED, WorkflowStatus.FAILED)
    if any(task.status != TaskStatus.PENDING for task in draft.workflow.tasks):
        raise illegal(
            "already_worked",
            f"{draft.workflow.address} has already worked; it can be repaired, not prepared",
            help=f"python run.py repair {draft.workflow.id}",
        )
    draft.move_workflow(WorkflowStatus.STARTING, _BY_PERSON)
    for terminal in draft.terminals():
        draft.set_terminal(terminal, wanted=True)


@command.register
def _start(order: requests.WorkflowStart, draft: Draft) -> None:
    _require(draft, "not_ready", WorkflowStatus.READY)
    draft.move_workflow(WorkflowStatus.RUNNING, _BY_PERSON)


@command.register
def _pause(order: requests.WorkflowPause, draft: Draft) -> None:
    """Nothing new is typed or started; what runs goes on, unless it is frozen."""
    _require(draft, "not_running", WorkflowStatus.RUNNING)
    draft.move_workflow(WorkflowStatus.PAUSED, _BY_PERSON, frozen=order.freeze)


@command.register
def _resume(order: requests.WorkflowResume, draft: Draft) -> None:
    _require(draft, "not_paused", WorkflowStatus.PAUSED)
    draft.move_workflow(WorkflowStatus.RUNNING, _BY_PERSON, frozen=False)


@command.register
def _stop(order: requests.WorkflowStop, draft: Draft) -> None:
    """Ends the programs; branches and uncommitted work are kept."""
    final = {WorkflowStatus.COMPLETED, WorkflowStatus.CANCELLED}
    _require(draft, "already_over", *(s for s in WorkflowStatus if s not in final))
    for terminal in draft.terminals():
        outcomes.cancel(draft, terminal, "the workflow was stopped")
    for task in draft.workflow.tasks:
        if task.status not in (TaskStatus.COMPLETED, TaskStatus.FAILED):
            draft.move_task(task, TaskStatus.CANCELLED, "the workflow was stopped")
    draft.move_workflow(WorkflowStatus.CANCELLED, _BY_PERSON)


@command.register
def _repair(order: requests.WorkflowRepair, draft: Draft) -> None:
    """Start the error terminals of what failed: of each failed task, or of the merge."""
    _require(draft, "not_failed", WorkflowStatus.FAILED)
    helper = HelperPlan(cli=order.cli) if order.cli else draft.plan.error
    failed = [t for t in draft.workflow.tasks if t.status == TaskStatus.FAILED]
    pending = [t for t in draft.workflow.tasks if t.status == TaskStatus.PENDING]
    if pending and not failed:
        raise illegal(
            "never_started",
            f"{draft.workflow.address} failed before its start",
            help=f"python run.py prepare {draft.workflow.id}",
        )
    if helper is None:
        commands = [f"python run.py retry {t.address.rstrip('/')}" for t in failed]
        raise illegal(
            "no_error_terminal",
            "the plan has no [error]; name a program with --cli",
            help=commands[0] if commands else f"python run.py merge {draft.workflow.id} --continue",
        )
    reason = draft.workflow.reason
    draft.move_workflow(WorkflowStatus.RUNNING, "repair asked by a person")
    for task in failed:
        outcomes.start_error_terminal(draft, task, helper)
    if not failed:
        draft.move_workflow(WorkflowStatus.MERGING, "repair of the merge")
        draft.set_merge(waits="repair")
        outcomes.start_merge_terminal(draft, helper, reason)


@command.register
def _retry(order: requests.TaskRetry, draft: Draft) -> None:
    """Relaunch what ended without completing in a failed task."""
    task = _task(draft, order.task)
    if task.status != TaskStatus.FAILED:
        raise illegal("not_failed", f"{task.address} is {task.status}, not failed")
    _require(draft, "not_failed", WorkflowStatus.FAILED, WorkflowStatus.RUNNING)
    if draft.workflow.status == WorkflowStatus.FAILED:
        draft.move_workflow(WorkflowStatus.RUNNING, f"{task.address} is tried again")
    draft.move_task(task, TaskStatus.RUNNING, _BY_PERSON, rounds=0)
    for terminal in task.line:
        if terminal.status != TerminalStatus.COMPLETED:
            draft.set_terminal(terminal, wanted=True)


@command.register
def _approve(order: requests.TaskApprove, draft: Draft) -> None:
    task = _task(draft, order.task)
    _awaits_person(draft, task)
    outcomes.accept(draft, task, outcomes.worker(task), "approved by a person")


@command.register
def _reject(order: requests.TaskReject, draft: Draft) -> None:
    task = _task(draft, order.task)
    _awaits_person(draft, task)
    outcomes.send_back(draft, task, outcomes.worker(task), order.reason)


def _awaits_person(draft: Draft, task: Task) -> None:
    if task.status != TaskStatus.REVIEW_PENDING:
        raise illegal(
            "not_review_pending",
            f"{task.address} is {task.status}; nothing waits for a review",
            help=f"python run.py why {task.address.rstrip('/')}",
        )
    _require(draft, "not_running", WorkflowStatus.RUNNING, WorkflowStatus.PAUSED)


@command.register
def _continue(order: requests.MergeContinue, draft: Draft) -> None:
    """After a resolution by hand, or after a mended branch: merge and test again."""
    workflow = draft.workflow
    _require(draft, "not_merging", WorkflowStatus.MERGING, WorkflowStatus.FAILED)
    if any(task.status != TaskStatus.COMPLETED for task in workflow.tasks):
        raise illegal(
            "tasks_open",
            f"not every task of {workflow.address} has completed",
            help=f"python run.py ps {workflow.id}",
        )
    helper = workflow.merge_terminal
    if helper is not None:
        outcomes.cancel(draft, helper, "a person goes on with the merge")
    if workflow.status == WorkflowStatus.FAILED:
        draft.move_workflow(WorkflowStatus.RUNNING, _BY_PERSON)
        draft.move_workflow(WorkflowStatus.MERGING, _BY_PERSON)
        outcomes.restart_merge(draft)
    elif workflow.merge.waits == "conflict":
        draft.set_merge(waits="by_hand")
    else:
        raise Refused(
            HTTPStatus.BAD_REQUEST,
            "not_waiting",
            f"the merge of {workflow.address} goes on by itself; it waits for nobody",
        )


@command.register
def _abort(order: requests.MergeAbort, draft: Draft) -> None:
    """Give the merge up: `failed`, branches and target untouched."""
    _require(draft, "not_merging", WorkflowStatus.MERGING)
    draft.set_merge(waits="", resolved="")
    outcomes.fail_merge(
        draft,
        "the merge was given up by a person",
        "branches and target are untouched",
        [f"python run.py merge {draft.workflow.id} --continue"],
    )
