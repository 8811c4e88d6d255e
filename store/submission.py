"""The rows of a new workflow, made from its plan."""

import msgspec

from bus import address
from bus.facts import TaskMoved, TerminalMoved, WorkflowMoved
from bus.peer import NOBODY, Caller
from bus.plan import HelperPlan, Plan, TaskPlan, TerminalPlan
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store.change import Insert, Operation

_encode = msgspec.json.encode


def settings_text(settings: dict[str, str] | None) -> str:
    """Return the text of the column `settings`."""
    return _encode(settings).decode()


def submission(
    id: str,
    plan: Plan,
    created: str,
    git_dir: str = "",
    caller: Caller = NOBODY,
    author: str = "",
    settings: dict[str, str] | None = None,
    kept: str = "",
    submission: str = "",
) -> list[Operation]:
    """Return the change that stores a workflow with its tasks and terminals.

    Each comes with the fact of its first status. `git_dir` is the repository's common git
    directory, `caller` submits the plan, and `author` is the author of the merges. `settings` are
    the git settings that decide the bytes of a checkout, and `kept` is the digest of the copy of
    the repository's shared files. `submission` is a digest that tells a submission that is sent
    again. Committing the change raises `Duplicate` if the id is taken.
    """
    change: list[Operation] = [
        Insert(
            "workflow",
            {
                "id": id,
                "name": plan.name,
                "repo": plan.repo,
                "git_dir": git_dir,
                "author": author,
                "settings": settings_text(settings),
                "kept": kept,
                "submission": submission,
                "target": plan.target,
                "plan": _encode(plan),
                "created": created,
            },
        ),
        Insert("merge", {"workflow": id}),
        WorkflowMoved(
            address=address.workflow(id),
            old=None,
            new=WorkflowStatus.CREATED,
            reason="submitted",
            by=caller.by,
            peer=caller.peer,
        ),
    ]
    for position, task in enumerate(plan.task, start=1):
        change += task_rows(id, position, task)
    return change


def task_rows(workflow: str, position: int, task: TaskPlan) -> list[Operation]:
    """Return the operations for the rows of a task and its terminals, with their first facts."""
    where = address.task(workflow, task.id)
    change: list[Operation] = [
        Insert(
            "task",
            {
                "address": where,
                "workflow": workflow,
                "id": task.id,
                "name": task.name or task.id,
                "position": position,
                "branch": task.branch,
                "after": _encode(task.after).decode(),
            },
        ),
        TaskMoved(address=where, old=None, new=TaskStatus.PENDING, reason="submitted"),
    ]
    for place, terminal in enumerate(task.terminal, start=1):
        at = address.terminal(workflow, task.id, place)
        change += terminal_rows(at, workflow, where, place, terminal)
    return change


def terminal_rows(
    where: str, workflow: str, task: str | None, position: int, plan: TerminalPlan
) -> list[Operation]:
    """Return the operations for a terminal's row and the fact of its first status."""
    return [
        Insert(
            "terminal",
            {
                "address": where,
                "workflow": workflow,
                "task": task,
                "position": position,
                "role": plan.role,
                "cli": plan.cli,
                "plan": _encode(plan),
            },
        ),
        TerminalMoved(address=where, old=None, new=TerminalStatus.NOT_STARTED, reason="submitted"),
    ]


def helper_plan(helper: HelperPlan, instruction: str) -> TerminalPlan:
    """Return the plan of the terminal that `[merge]` or `[error]` describes."""
    return TerminalPlan(
        cli=helper.cli,
        instruction=instruction,
        provider=helper.provider,
        model=helper.model,
        auto_confirm=helper.auto_confirm,
        switch=helper.switch,
        sandbox=helper.sandbox,
        unfenced=helper.unfenced,
        fence=helper.fence,
        network=helper.network,
        timeout=helper.timeout,
        fallback=helper.fallback,
        limited=helper.limited,
        keep=helper.keep,
    )
