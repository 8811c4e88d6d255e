"""What follows from the state alone: the one place where task and workflow status are
derived (hazard 16), repeated until nothing more follows.

The order is the order of the rules below; each rule returns whether it changed anything.
"""

from collections.abc import Callable

from actors.decisions import outcomes
from actors.decisions.draft import Draft
from actors.decisions.words import first_instruction, merge_instruction
from bus.rows import Task, Terminal
from bus.status import FINAL_TASK, TaskStatus, TerminalStatus, WorkflowStatus

_LAUNCHABLE = {
    TerminalStatus.NOT_STARTED,
    TerminalStatus.FAILED,
    TerminalStatus.CANCELLED,
    TerminalStatus.COMPLETED,
}


def settle(draft: Draft) -> None:
    """Apply every rule until none applies. Pure; ends because each rule moves forward."""
    while any(rule(draft) for rule in _RULES):
        pass


def set_next_to_work(draft: Draft) -> bool:
    """A task's next terminal gets its instruction when those before it have completed and
    every process of theirs is gone (hazard 36)."""
    if not draft.is_running:
        return False
    for task in draft.workflow.tasks:
        terminal = _next_in_line(task)
        if terminal is not None and terminal.status == TerminalStatus.WAITING:
            if task.status == TaskStatus.PENDING:
                draft.move_task(task, TaskStatus.RUNNING, f"{terminal.address} is set to work")
            _instruct(
                draft, terminal, first_instruction(draft.plan, draft.workflow, task, terminal)
            )
            return True
    return False


def set_merge_terminal_to_work(draft: Draft) -> bool:
    """The merge terminal has one task only: it works as soon as it is ready."""
    terminal = draft.workflow.merge_terminal
    if (
        draft.workflow.status != WorkflowStatus.MERGING
        or terminal is None
        or terminal.status != TerminalStatus.WAITING
    ):
        return False
    _instruct(draft, terminal, merge_instruction(draft.workflow, terminal.instruction))
    return True


def _instruct(draft: Draft, terminal: Terminal, text: str) -> None:
    draft.move_terminal(
        terminal,
        TerminalStatus.RUNNING,
        "gets its instruction",
        step=1,
        instruction=text,
        working_since=draft.now,
    )


def _next_in_line(task: Task) -> Terminal | None:
    """The terminal whose turn it is, or None: nobody's, or the work is judged by a person.

    The error terminal, once alive, works alone. While a review is pending the terminal
    after the one under review must be a reviewer.
    """
    if task.status not in (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.REVIEW_PENDING):
        return None
    if task.error is not None and task.error.alive:
        others_gone = all(t.gone for t in task.line)
        return task.error if others_gone else None
    for before, terminal in zip([None, *task.line], task.line, strict=False):
        if terminal.status == TerminalStatus.COMPLETED:
            if not terminal.gone:
                return None
            continue
        if outcomes.under_review(task, terminal):
            if not terminal.gone:
                return None
            continue
        if task.status == TaskStatus.REVIEW_PENDING and (
            terminal.role != "reviewer" or before is None or not before.gone
        ):
            return None
        return terminal
    return None


def repair_failed_task(draft: Draft) -> bool:
    """With `[error]` in the plan a failed task starts its error terminal by itself, as
    often as `attempts` says."""
    error = draft.plan.error
    if not draft.is_running or error is None:
        return False
    for task in draft.workflow.tasks:
        if task.status == TaskStatus.FAILED and task.repairs < error.attempts:
            outcomes.start_error_terminal(draft, task, error)
            return True
    return False


def launch_next(draft: Draft) -> bool:
    """One terminal at a time, in order of (task, position), while there is a place."""
    if draft.workflow.status not in (
        WorkflowStatus.STARTING,
        WorkflowStatus.RUNNING,
        WorkflowStatus.MERGING,
    ):
        return False
    if any(t.status == TerminalStatus.STARTING for t in draft.terminals()):
        return False
    terminal = next_to_launch(draft)
    if terminal is None:
        return False
    draft.move_terminal(
        terminal,
        TerminalStatus.STARTING,
        "its turn to be started",
        incarnation=terminal.incarnation + 1,
        token=draft.token,
        wanted=False,
        alive=True,
        ready=False,
        gone=False,
        step=0,
        sent=0,
        delivered=0,
        blocked="",
        stalled=False,
        rejections=0,
    )
    return True


def next_to_launch(draft: Draft) -> Terminal | None:
    """The first that is wanted, if one of the `max_terminals` places is free."""
    taken = sum(not t.gone for t in draft.terminals())
    if taken >= draft.plan.max_terminals:
        return None
    return next(
        (t for t in draft.terminals() if t.wanted and t.gone and t.status in _LAUNCHABLE), None
    )


def give_up_idle_place(draft: Draft) -> bool:
    """Where nothing works or starts, and a wanted terminal has no place, the last one that
    only waits gives its place up and queues again: otherwise all would wait for ever."""
    if draft.workflow.status not in (WorkflowStatus.RUNNING, WorkflowStatus.MERGING):
        return False
    terminals = draft.terminals()
    wanted = [t for t in terminals if t.wanted and t.gone]
    alive = [t for t in terminals if not t.gone]
    if not wanted or next_to_launch(draft) is not None:
        return False
    idle = [t for t in alive if t.status == TerminalStatus.WAITING]
    if len(idle) != len(alive) or not idle:
        return False
    outcomes.cancel(draft, idle[-1], "gives its place up to one that must work first")
    draft.set_terminal(idle[-1], wanted=True)
    return True


def become_ready(draft: Draft) -> bool:
    """`starting` ends when everything that may run now is waiting."""
    if draft.workflow.status != WorkflowStatus.STARTING:
        return False
    if any(t.status == TerminalStatus.STARTING for t in draft.terminals()):
        return False
    waiting = sum(t.status == TerminalStatus.WAITING for t in draft.terminals())
    queued = sum(t.wanted for t in draft.terminals())
    if not waiting:
        return False
    note = f", {queued} queue for a place" if queued else ""
    draft.move_workflow(WorkflowStatus.READY, f"{waiting} terminals wait for the start{note}")
    return True


def end_of_tasks(draft: Draft) -> bool:
    """When every task has ended: merge, or fail and say what goes on."""
    workflow = draft.workflow
    if not draft.is_running or not all(t.status in FINAL_TASK for t in workflow.tasks):
        return False
    failed = [t for t in workflow.tasks if t.status != TaskStatus.COMPLETED]
    if failed:
        names = ", ".join(t.address for t in failed)
        draft.move_workflow(WorkflowStatus.FAILED, f"failed: {names}")
        outcomes.offer_task_repair(draft, failed)
        return True
    if not all(t.gone for t in workflow.terminals()):
        return False
    draft.move_workflow(WorkflowStatus.MERGING, "every task has completed")
    outcomes.restart_merge(draft)
    return True


_RULES: tuple[Callable[[Draft], bool], ...] = (
    set_next_to_work,
    set_merge_terminal_to_work,
    repair_failed_task,
    end_of_tasks,
    launch_next,
    give_up_idle_place,
    become_ready,
)
