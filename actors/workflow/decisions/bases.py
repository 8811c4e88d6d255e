"""The bases of tasks that come after others, and what such tasks wait for.

A task begins when all tasks that it comes after have completed. Its base is the merge of their
accepted commits on the target, which the merger makes by the steps of any merge: one base at a
time, while the workflow is running. A merge that fails holds its task until a person retries it.
"""

from actors.workflow.decisions import line, outcomes
from actors.workflow.decisions.draft import Draft
from bus.facts import TaskBased, TaskWaits
from bus.graph import in_order
from bus.rows import Task, Workflow
from bus.status import MergeStage, TaskStatus


def blocked(workflow: Workflow) -> dict[str, str]:
    """Return why each task that cannot begin by itself cannot, by the task's id.

    The merge of its base has failed, or a task that it comes after has failed, was cancelled, or is
    blocked itself.
    """
    if not _that_wait(workflow):
        return {}
    by_id = {task.id: task for task in workflow.tasks}
    found: dict[str, str] = {}
    for id in in_order(workflow.graph):
        task = by_id[id]
        if task.waits:
            causes = [task.held, *(_cause(by_id[each], found) for each in task.after)]
            if cause := next(filter(None, causes), ""):
                found[id] = cause
    return found


def _that_wait(workflow: Workflow) -> list[Task]:
    """Return the tasks that have no base yet. Most plans of hundreds of tasks have none."""
    return [task for task in workflow.tasks if task.after and task.waits]


def _cause(before: Task, found: dict[str, str]) -> str:
    """Return why nothing can begin after this task; "" if something can."""
    if before.status == TaskStatus.FAILED:
        return f"{before.address} failed"
    if before.status == TaskStatus.CANCELLED:
        return f"{before.address} was cancelled"
    return found.get(before.id, "")


def cancelled_before(draft: Draft, task: Task) -> list[str]:
    """Return the ids of the cancelled tasks that `task` comes after."""
    before = [t for t in draft.workflow.tasks if t.id in task.after]
    return [t.id for t in before if t.status == TaskStatus.CANCELLED]


def _open(draft: Draft, task: Task) -> list[str]:
    """Return the addresses of the tasks that `task` still waits for."""
    return [
        t.address
        for t in draft.workflow.tasks
        if t.id in task.after and t.status != TaskStatus.COMPLETED
    ]


# ---- what follows from the state (rules of `settle`) -----------------------------------------


def tell_waiting(draft: Draft) -> bool:
    """Tell what each task waits for, whenever that has changed."""
    if not draft.is_running:
        return False
    causes, changed = blocked(draft.workflow), False
    for task in _that_wait(draft.workflow):
        waits_for = _open(draft, task)
        reason = causes.get(task.id) or _waiting(draft, task, waits_for)
        if reason != task.reason:
            draft.explain(task, reason)
            draft.tell(TaskWaits(address=task.address, reason=reason, after=waits_for))
            changed = True
    return changed


def _waiting(draft: Draft, task: Task, waits_for: list[str]) -> str:
    if waits_for:
        return f"waits for {', '.join(waits_for)}"
    if draft.workflow.merge.task == task.address:
        return "its base is being merged"
    return "waits until its base can be merged"


def begin_base(draft: Draft) -> bool:
    """Have the merger make the base of the next task that can begin.

    Leave a base that is not wanted any more: the task was cancelled, or one before it was reopened.
    """
    if not draft.is_running:
        return False
    merged_for = draft.workflow.merge.task
    if merged_for:
        task = draft.task_at(merged_for)
        if task is None or not task.waits or _open(draft, task):
            outcomes.leave_base(draft, "the base is not wanted any more")
            return True
        return False
    for task in _that_wait(draft.workflow):
        if not task.held and not _open(draft, task):
            outcomes.restart_merge(
                draft, task=task.address, repairs=0, resolution="", repaired="", problem=""
            )
            return True
    return False


# ---- what the merger observes ----------------------------------------------------------------


def based(fact: TaskBased, draft: Draft) -> None:
    """Give a task its base, and start its terminals."""
    merge, task = draft.workflow.merge, draft.task_at(fact.address)
    asked = merge.task == fact.address and merge.stage == MergeStage.BUILDING
    if task is None or not asked or fact.round != merge.round or _open(draft, task):
        return
    draft.set_task(task, base=fact.commit, tip=fact.commit, carried=merge.resolution)
    draft.explain(task, "has its base")
    for terminal in task.line:
        if not line.passed(terminal):
            draft.set_terminal(terminal, wanted=True)
    outcomes.leave_base(draft, f"its result is in the base of {task.address}")
