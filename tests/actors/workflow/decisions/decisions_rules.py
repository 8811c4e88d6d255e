"""What must hold of every decision, whatever it decides; and the commands of a walk."""

from typing import Any

from actors.workflow.decisions import line
from bus import plan_requests, requests
from bus.action import Action, Do
from bus.plan import Plan
from bus.rows import Workflow
from bus.status import FINAL_TASK, TaskStatus, TerminalStatus, WorkflowStatus
from store.change import Move, Operation

W, T, P = WorkflowStatus, TaskStatus, TerminalStatus


_REQUESTS: dict[Do, type[Any]] = {
    Do.RETRY: requests.TaskRetry,
    Do.CANCEL_TASK: plan_requests.TaskCancel,
    Do.REPAIR: requests.WorkflowRepair,
    Do.PREPARE: requests.WorkflowPrepare,
    Do.CONTINUE_MERGE: requests.MergeContinue,
    Do.ABORT_MERGE: requests.MergeAbort,
}


def command_of(action: Action) -> requests.Command | None:
    """The request that does an action that was offered; None for one that only reads."""
    if action.do == Do.WHY:
        return None
    kind = _REQUESTS[action.do]
    key = "task" if kind is requests.TaskRetry else "workflow"
    where = action.address if key == "task" else action.address.rstrip("/")
    order: requests.Command = kind(**{key: where}, **action.fields)
    return order


_TERMINAL = {"cli": "claude", "instruction": "do it"}


def all_commands(state: Workflow) -> list[requests.Command]:
    id = state.id
    commands: list[requests.Command] = [
        requests.WorkflowPrepare(workflow=id),
        requests.WorkflowStart(workflow=id),
        requests.WorkflowPause(workflow=id),
        requests.WorkflowResume(workflow=id),
        requests.WorkflowStop(workflow=id),
        requests.WorkflowRepair(workflow=id),
        requests.WorkflowRepair(workflow=id, cli="codex"),
        requests.MergeContinue(workflow=id),
        requests.MergeAbort(workflow=id),
    ]
    commands += [
        requests.TerminalSend(terminal=terminal.address, text="go on")
        for terminal in state.terminals()
    ]
    if len(state.tasks) < 6:
        new = f"n{len(state.tasks)}"
        added = {"id": new, "branch": f"feat/{new}", "terminal": [_TERMINAL]}
        before = {"after": [state.tasks[-1].id]}
        commands += [
            plan_requests.TaskAdd(workflow=id, task=added),
            plan_requests.TaskAdd(workflow=id, task=added | before),
        ]
    commands.append(plan_requests.PlanSet(workflow=id, max_terminals=8))
    for terminal in state.terminals():
        if terminal.name.isdecimal():
            order = plan_requests.InstructionReplace(terminal=terminal.address, instruction="x")
            commands.append(order)
    for task in state.tasks:
        if len(task.line) < 4 and "error" not in task.address:
            commands.append(plan_requests.TerminalAdd(task=task.address, terminal=_TERMINAL))
        commands += [
            plan_requests.TaskCancel(task=task.address),
            plan_requests.TaskMove(task=task.address, position=1),
            requests.TaskRetry(task=task.address),
            requests.TaskApprove(task=task.address),
            requests.TaskReject(task=task.address, reason="not good"),
        ]
    return commands


def check(before: Workflow, after: Workflow, plan: Plan, operations: list[Operation]) -> None:
    """The rules that hold after every decision.

    `apply` has checked that every transition is legal and no compare-and-swap was lost.
    """
    old = {t.address: t for t in before.terminals()}
    terminals = after.terminals()
    assert sum(not t.gone for t in terminals) <= plan.max_terminals, "too many at once"
    assert sum(t.status == P.STARTING for t in terminals) <= 1, "two launches at once"
    for terminal in terminals:
        task = next((t for t in after.tasks if t.address == terminal.task), None)
        was = old.get(terminal.address, terminal)
        assert terminal.incarnation in (was.incarnation, was.incarnation + 1)
        if terminal.incarnation == was.incarnation and terminal.address in old:
            assert terminal.step >= was.step
        elif terminal.address in old:
            assert was.gone, "started while the last incarnation is there"
        assert not (terminal.wanted and terminal.live), "wanted and live"
        done = terminal.status == P.COMPLETED and task is not None
        assert not (terminal.wanted and done), "wanted though it has completed"
        assert not terminal.shall_run or terminal.live, "shall run at its end"
        if terminal.kept:
            assert terminal.shall_run, "kept, and shall not run"
            assert terminal.status == P.RUNNING, "kept before or after its work"
        assert terminal.kept or not terminal.resting, "stopped, and not kept"
        if terminal.live and not terminal.shall_run:
            assert task is not None, "live, and shall not run, and of no task"
            assert line.under_review(task, terminal), "live, and shall not run"
        if task is not None and task.status in FINAL_TASK:
            assert not terminal.shall_run, "works on after its task's end"
            assert not terminal.wanted, "wanted after its task's end"
        if task is not None and terminal.step > (was.step if terminal.address in old else 0):
            assert line.has_worktree_alone(task, terminal), "instructed beside another"
    for task in after.tasks:
        was_waiting = any(t.address == task.address and t.waits for t in before.tasks)
        if was_waiting and not task.waits and task.after and task.status == T.PENDING:
            first = [t for t in after.tasks if t.id in task.after]
            assert all(t.status == T.COMPLETED for t in first), "begins before its time"
        if after.status == W.RUNNING and task.status == T.PENDING:
            assert not any(line.passed(t) for t in task.line), "passed over before its work"
        if task.waits:
            assert not any(t.incarnation or t.wanted for t in task.terminals), "started too soon"
        assert sum(t.works for t in task.terminals) <= 1
        judged = (line.reviewed(task) is not None and not task.checking) or task.reopened
        assert not task.checking or line.reviewed(task) is not None, "a check of nobody's work"
        assert (task.status == T.REVIEW_PENDING) == judged
        assert task.status != T.COMPLETED or task.accepted, "completed at no commit"
    if after.status in (W.COMPLETED, W.CANCELLED, W.FAILED):
        assert not any(t.shall_run or t.wanted for t in terminals), "works after the end"
    if after.status in (W.MERGING, W.COMPLETED):
        assert all(t.status in (T.COMPLETED, T.CANCELLED) for t in after.tasks)
        assert any(t.status == T.COMPLETED for t in after.tasks), "nothing to merge"
    if before.status == after.status == W.PAUSED:
        started = {P.STARTING, P.RUNNING}
        assert not any(
            isinstance(o, Move) and o.new in started and o.table == "terminal" for o in operations
        ), "something begins while paused"
