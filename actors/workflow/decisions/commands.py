"""What a person's commands do, and in which states they are refused (400)."""

from functools import singledispatch

from actors.workflow.decisions import bases, limits, line, offers, outcomes
from actors.workflow.decisions.draft import Draft
from bus import requests
from bus.action import Action, Do
from bus.errors import Refused, illegal, unknown
from bus.plan_changes import with_after
from bus.reasons import Reason
from bus.rows import Task
from bus.status import FINAL_TASK, MergeStage, TaskStatus, TerminalStatus, WorkflowStatus

_BY_PERSON = "asked by a person"
_TO_LAND = (TaskStatus.COMPLETED, TaskStatus.CANCELLED)
_JUDGED_IN = (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED)


@singledispatch
def command(order: requests.Command, _draft: Draft) -> None:
    """Apply a person's command to the draft. Raise `Refused` if the state does not allow it."""
    raise TypeError(f"no command: {order!r}")


def _require(draft: Draft, reason: Reason, *allowed: WorkflowStatus) -> None:
    status = draft.workflow.status
    if status not in allowed:
        words = " or ".join(allowed)
        raise illegal(
            reason,
            f"{draft.workflow.address} is {status}; this needs {words}",
            actions=[Action(Do.WHY, draft.workflow.address)],
        )


def task_of_order(draft: Draft, address: str) -> Task:
    """Return the task that a command is about. Raise `Refused` (404)."""
    task = draft.task_at(address)
    if task is None:
        raise unknown("task", address, actions=[Action(Do.GET, draft.workflow.address)])
    return task


@command.register
def _prepare(_order: requests.WorkflowPrepare, draft: Draft) -> None:
    """Start the terminals, from `created` or after a prepare that failed.

    Those of a task that comes after others are started when it has its base.
    """
    _require(draft, Reason.NOT_CREATED, WorkflowStatus.CREATED, WorkflowStatus.FAILED)
    if offers.has_worked(draft):
        raise illegal(
            Reason.ALREADY_WORKED,
            f"{draft.workflow.address} has already worked; it can be repaired, not prepared",
            actions=_after_work(draft),
        )
    draft.move_workflow(WorkflowStatus.STARTING, _BY_PERSON)
    for task in draft.workflow.tasks:
        is_first = task.status == TaskStatus.PENDING and not task.waits
        for terminal in task.line if is_first else ():
            draft.set_terminal(terminal, wanted=True)


def _after_work(draft: Draft) -> list[Action]:
    """Return what helps a workflow that has worked and stopped: as `ps` says it."""
    failed = [t for t in draft.workflow.tasks if t.status == TaskStatus.FAILED]
    if failed:
        return [Action(Do.RETRY, failed[0].address), offers.repair_action(draft)]
    if draft.workflow.merge.red:
        return [offers.repair_action(draft)]
    return [Action(Do.GET, draft.workflow.address)]


@command.register
def _start(_order: requests.WorkflowStart, draft: Draft) -> None:
    _require(draft, Reason.NOT_READY, WorkflowStatus.READY)
    draft.move_workflow(WorkflowStatus.RUNNING, _BY_PERSON)


@command.register
def _pause(order: requests.WorkflowPause, draft: Draft) -> None:
    """Type and start nothing new. Programs go on running, unless they are frozen."""
    _require(draft, Reason.NOT_RUNNING, WorkflowStatus.RUNNING)
    draft.move_workflow(WorkflowStatus.PAUSED, _BY_PERSON, frozen=order.freeze)


@command.register
def _resume(_order: requests.WorkflowResume, draft: Draft) -> None:
    """Go on after a pause.

    A frozen program could not work, so its `timeout` counts from now on.
    """
    _require(draft, Reason.NOT_PAUSED, WorkflowStatus.PAUSED)
    if draft.workflow.frozen:
        for terminal in draft.terminals():
            if terminal.status == TerminalStatus.RUNNING:
                draft.set_terminal(terminal, working_since=draft.now, working_clock=draft.clock)
    draft.move_workflow(WorkflowStatus.RUNNING, _BY_PERSON, frozen=False)


@command.register
def _stop(_order: requests.WorkflowStop, draft: Draft) -> None:
    """End the programs; keep branches and uncommitted work."""
    final = {WorkflowStatus.COMPLETED, WorkflowStatus.CANCELLED}
    _require(draft, Reason.ALREADY_OVER, *(s for s in WorkflowStatus if s not in final))
    not_landing(draft)
    for terminal in draft.terminals():
        outcomes.cancel(draft, terminal, "the workflow was stopped")
    for task in draft.workflow.tasks:
        draft.set_task(task, checking="")
        if task.status not in FINAL_TASK:
            draft.move_task(task, TaskStatus.CANCELLED, "the workflow was stopped")
    draft.set_merge(stage=MergeStage.IDLE, task="")
    draft.move_workflow(WorkflowStatus.CANCELLED, _BY_PERSON, frozen=False)


def not_landing(draft: Draft) -> None:
    """Refuse the command while the workflow is landing, which cannot be undone.

    The landing is over in a moment, or when a person has freed the checkout that it waits for.
    """
    if draft.workflow.merge.stage == MergeStage.CHECKOUT:
        raise illegal(
            Reason.LANDING,
            f"{draft.workflow.address} has landed on {draft.workflow.target}, but for a checkout",
            actions=[Action(Do.CONTINUE_MERGE, draft.workflow.address)],
        )
    if draft.workflow.merge.stage == MergeStage.LANDING:
        raise illegal(
            Reason.LANDING,
            f"{draft.workflow.address} is landing on {draft.workflow.target} now",
            actions=[Action(Do.GET, draft.workflow.address)],
        )


@command.register
def _repair(order: requests.WorkflowRepair, draft: Draft) -> None:
    """Start the error terminal of each failed task, or the terminal that repairs the merge.

    If a conflict waits for a person, have a terminal resolve it.
    """
    workflow = draft.workflow
    failed = [t for t in workflow.tasks if t.status == TaskStatus.FAILED]
    if not failed and workflow.merges and workflow.merge.stage == MergeStage.CONFLICT:
        _resolve(order, draft)
        return
    if failed:
        _require(
            draft, Reason.OVER, WorkflowStatus.FAILED, WorkflowStatus.RUNNING, WorkflowStatus.PAUSED
        )
    else:
        _require(draft, Reason.NOT_FAILED, WorkflowStatus.FAILED)
        _red_merge(draft)
    helper = offers.helper(draft, order.cli) if order.cli else offers.repairer(draft)
    if workflow.status == WorkflowStatus.FAILED:
        draft.move_workflow(WorkflowStatus.RUNNING, "repair asked by a person")
    for task in failed:
        outcomes.start_error_terminal(draft, task, helper)
    if not failed:
        draft.move_workflow(WorkflowStatus.MERGING, "repair of the merge")
        draft.set_merge(stage=MergeStage.REPAIR, files=[], branch="")
        outcomes.start_merge_terminal(draft, helper, workflow.merge.problem)


def _resolve(order: requests.WorkflowRepair, draft: Draft) -> None:
    present = draft.workflow.merge_terminal
    if present is not None and (present.wanted or present.shall_run):
        raise illegal(
            Reason.NOTHING_TO_REPAIR,
            f"{present.address} resolves the conflict already",
            actions=[Action(Do.WHY, present.address)],
        )
    plan = draft.plan
    helper = offers.helper(draft, order.cli) if order.cli else plan.merge or offers.repairer(draft)
    outcomes.start_merge_terminal(draft, helper, "")


def _red_merge(draft: Draft) -> None:
    """Refuse the repair of a merge whose tests did not fail.

    Only a tree with failed tests can be repaired in its own worktree. A reopened task is accepted
    again at the commit that was merged.
    """
    workflow = draft.workflow
    for task in workflow.tasks:
        if task.reopened:
            said = f"commit {task.accepted[:12]} is what was merged, and is repaired"
            outcomes.accept(draft, task, None, task.accepted, task.speaker, said)
    if any(task.status not in _TO_LAND for task in workflow.tasks):
        raise illegal(
            Reason.NEVER_STARTED,
            f"{workflow.address} failed before its start",
            actions=[Action(Do.PREPARE, workflow.address)],
        )
    if not workflow.merge.red:
        raise illegal(
            Reason.NOTHING_TO_REPAIR,
            f"no task and no test of {workflow.address} failed: {workflow.reason}",
            actions=[Action(Do.CONTINUE_MERGE, workflow.address)],
        )


@command.register
def _retry(order: requests.TaskRetry, draft: Draft) -> None:
    """Start the failed terminals of a task again, or the one at work if it is stuck.

    Terminals that were cancelled with the failed one are started again too. Refused once the
    workflow is over; while it is paused the launch waits.

    A task that is held because its base cannot be merged has it merged again; one that comes after
    cancelled tasks goes on without them.
    """
    task = task_of_order(draft, order.task)
    if task.waits:
        _set_free(draft, task)
        return
    worker = line.worker(task)
    if worker is not None and outcomes.is_stuck(worker):
        _require(draft, Reason.OVER, WorkflowStatus.RUNNING, WorkflowStatus.PAUSED)
        limits.release(draft, worker)
        outcomes.try_again(draft, worker, f"tried again by {draft.who}")
        return
    if task.status != TaskStatus.FAILED:
        raise illegal(
            Reason.NOT_FAILED,
            f"{task.address} is {task.status}, not failed",
            actions=[Action(Do.WHY, task.address)],
        )
    _require(
        draft, Reason.OVER, WorkflowStatus.FAILED, WorkflowStatus.RUNNING, WorkflowStatus.PAUSED
    )
    offers.go_on_after_failure(draft, f"{task.address} is tried again")
    draft.move_task(task, TaskStatus.RUNNING, f"asked by {draft.who}", rounds=0)
    first = next(i for i, t in enumerate(task.line) if t.status == TerminalStatus.FAILED)
    for terminal in task.line[first:]:
        if terminal.status != TerminalStatus.COMPLETED:
            draft.set_terminal(terminal, wanted=True)


def _set_free(draft: Draft, task: Task) -> None:
    cancelled = bases.cancelled_before(draft, task)
    if not task.held and not cancelled:
        raise illegal(
            Reason.NOT_FAILED,
            f"{task.address} {task.reason or 'comes after others'}; it begins by itself",
            actions=[Action(Do.WHY, task.address)],
        )
    _require(
        draft, Reason.OVER, WorkflowStatus.FAILED, WorkflowStatus.RUNNING, WorkflowStatus.PAUSED
    )
    offers.go_on_after_failure(draft, f"{task.address} is tried again")
    after = [id for id in task.after if id not in cancelled]
    draft.set_plan(with_after(draft.plan, task.id, after))
    draft.set_task(task, held="", after=after)
    draft.explain(task, f"asked by {draft.who}")


@command.register
def _approve(order: requests.TaskApprove, draft: Draft) -> None:
    """Accept the newest commit of the branch in a person's name.

    The person may take the place of a reviewer that has not answered yet.
    """
    task = task_of_order(draft, order.task)
    _awaits_person(draft, task)
    if order.commit and order.commit != task.tip:
        raise Refused(
            409,
            Reason.MOVED_ON,
            f"{task.address} is at {task.tip}, not at {order.commit}; judge it again",
            actions=[Action(Do.WHY, task.address)],
        )
    judge = line.worker(task)
    if judge is None and (reviewer := line.next_in_line(task)) is not None:
        outcomes.skip(draft, reviewer, "a person approved in its place")
    said = f"commit {task.tip[:12]} was approved by a person"
    outcomes.accept(draft, task, judge, task.tip, "", said)


@command.register
def _reject(order: requests.TaskReject, draft: Draft) -> None:
    task = task_of_order(draft, order.task)
    _awaits_person(draft, task)
    if draft.workflow.status == WorkflowStatus.FAILED:
        draft.move_workflow(WorkflowStatus.RUNNING, f"{task.address} is sent back by {draft.who}")
    outcomes.send_back(draft, task, line.worker(task), order.reason)


@command.register
def _send(order: requests.TerminalSend, draft: Draft) -> None:
    """Give a person's instruction to a terminal that works."""
    terminal = draft.find(order.terminal)
    if terminal is None:
        raise unknown("terminal", order.terminal)
    if not terminal.works:
        state = "kept while its work is judged" if terminal.kept else terminal.status
        raise illegal(
            Reason.NOT_LIVE,
            f"{terminal.address} is {state}; only one that works takes an instruction",
            actions=[Action(Do.WHY, terminal.address)],
        )
    if terminal.sent < terminal.step:
        raise illegal(
            Reason.NOT_TYPED,
            f"the last instruction of {terminal.address} is not typed yet; its screen must take "
            "it first",
            actions=[Action(Do.WHY, terminal.address)],
        )
    limits.release(draft, terminal)
    outcomes.tell_worker(draft, terminal, order.text, terminal.rejections)


def _awaits_person(draft: Draft, task: Task) -> None:
    """Refuse unless there is something to judge: a review, or commits after an acceptance.

    Such commits reopen the task.
    """
    if task.status == TaskStatus.COMPLETED and task.tip not in ("", task.accepted):
        _require(draft, Reason.NOT_RUNNING, *_JUDGED_IN, WorkflowStatus.FAILED)
        outcomes.reopen(draft, task, task.tip, "a person judges what came after its acceptance")
        return
    if task.status != TaskStatus.REVIEW_PENDING:
        raise illegal(
            Reason.NOT_REVIEW_PENDING,
            f"{task.address} is {task.status}; nothing waits for a review",
            actions=[Action(Do.WHY, task.address)],
        )
    also = (WorkflowStatus.FAILED,) if task.reopened else ()
    _require(draft, Reason.NOT_RUNNING, *_JUDGED_IN, *also)


@command.register
def _continue(_order: requests.MergeContinue, draft: Draft) -> None:
    """Go on with a merge that waits for a person or has failed.

    After a resolution by hand, have the worktree judged. Each request is judged anew, so forget
    what was told of the one before. After a failed merge, or in place of its repair, merge and test
    the branches again. If the landing waits for a checkout, try that again.
    """
    workflow = draft.workflow
    if not workflow.merge.task:
        _all_completed(draft)
    stage = workflow.merge.stage
    if workflow.status == WorkflowStatus.MERGING and stage == MergeStage.CHECKOUT:
        draft.set_merge(stage=MergeStage.LANDING, told="")
        return
    if workflow.merges and not workflow.merge.asks:
        raise illegal(
            Reason.NOT_WAITING,
            f"the merge of {workflow.address} goes on by itself; it waits for nobody",
            actions=[Action(Do.WHY, workflow.address)],
        )
    helper = workflow.merge_terminal
    if helper is not None:
        outcomes.cancel(draft, helper, "a person goes on with the merge")
    if stage == MergeStage.CONFLICT:
        draft.set_merge(stage=MergeStage.BY_HAND, told="")
        return
    if workflow.status == WorkflowStatus.FAILED:
        draft.move_workflow(WorkflowStatus.RUNNING, _BY_PERSON)
        draft.move_workflow(WorkflowStatus.MERGING, _BY_PERSON)
    outcomes.restart_merge(draft, repairs=0)


def _all_completed(draft: Draft) -> None:
    """Refuse to go on with the landing of a workflow unless every task has completed."""
    workflow = draft.workflow
    _require(draft, Reason.NOT_MERGING, WorkflowStatus.MERGING, WorkflowStatus.FAILED)
    for task in workflow.tasks if workflow.status == WorkflowStatus.FAILED else ():
        if task.reopened:  # a person corrected the branch and continues with it
            said = f"commit {task.tip[:12]} is taken in by a person"
            outcomes.accept(draft, task, None, task.tip, "", said)
    if any(task.status not in _TO_LAND for task in workflow.tasks):
        raise illegal(
            Reason.TASKS_OPEN,
            f"not every task of {workflow.address} has completed",
            actions=[Action(Do.GET, workflow.address)],
        )


@command.register
def _abort(_order: requests.MergeAbort, draft: Draft) -> None:
    """Give the merge up: the workflow is `failed`, branches and target are untouched.

    If the merge is for the base of a task, only that task does not go on.
    """
    if not draft.workflow.merge.task:
        _require(draft, Reason.NOT_MERGING, WorkflowStatus.MERGING)
    not_landing(draft)
    draft.set_merge(resolution="", repaired="")
    outcomes.fail_merge(
        draft,
        "the merge was given up by a person",
        "branches and target are untouched",
        [Action(Do.CONTINUE_MERGE, draft.workflow.address)],
    )
