"""Whose turn it is: questions about the terminals of one task, answered from its rows."""

from bus.kinds import Role
from bus.rows import Task, Terminal
from bus.status import TaskStatus, TerminalStatus

_OPEN = {TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.REVIEW_PENDING}
_NEVER_WORKED = {TerminalStatus.STARTING, TerminalStatus.WAITING}


def under_review(task: Task, terminal: Terminal) -> bool:
    """Return whether the terminal's work is being judged: after `#review`, or by the task's check.

    It is still `running`, but its program has ended, or is kept for the case that the work is sent
    back.
    """
    return (
        (task.status == TaskStatus.REVIEW_PENDING or bool(task.checking))
        and terminal.status == TerminalStatus.RUNNING
        and not terminal.works
    )


def reviewed(task: Task) -> Terminal | None:
    """Return the terminal whose `#review` is being judged; None if there is none."""
    return next((t for t in task.terminals if under_review(task, t)), None)


def worker(task: Task) -> Terminal | None:
    """Return the terminal that works now; None if there is none.

    It is `running`, and its program is to be alive and is not kept for later.
    """
    return next((t for t in task.terminals if t.works), None)


def passed(terminal: Terminal) -> bool:
    """Return whether nothing is left for the terminal to do.

    It completed, or it was cancelled and is not wanted again, because a person judged in its place.
    """
    return terminal.status == TerminalStatus.COMPLETED or (
        terminal.status == TerminalStatus.CANCELLED and not terminal.wanted
    )


def next_in_line(task: Task) -> Terminal | None:
    """Return the terminal whose turn it is, at work or not; None if there is none.

    A task that waits for its base, or whose check runs, has none. If a task was reopened after its
    acceptance, it is a person's turn. The error terminal, once wanted, works alone, and a person
    judges its work. While a review is pending, it is the turn of a reviewer or of no terminal.
    """
    if task.status not in _OPEN or task.reopened or task.waits or task.checking:
        return None
    error = task.error
    if error is not None and under_review(task, error):
        return None
    if error is not None and (error.shall_run or error.wanted):
        return error
    for terminal in task.line:
        if passed(terminal) or under_review(task, terminal):
            continue
        if task.status == TaskStatus.REVIEW_PENDING and terminal.role != Role.REVIEWER:
            return None
        return terminal
    return None


def has_worktree_alone(task: Task, terminal: Terminal) -> bool:
    """Return whether no other terminal that was ever set to work can write (hazard 36).

    It has no process any more, or it is kept and every process is stopped.
    """
    return all(
        t.gone or t.status in _NEVER_WORKED or (t.kept and t.resting)
        for t in task.terminals
        if t is not terminal
    )


def last_coder(task: Task) -> Terminal:
    """Return the terminal that did the last work of a completed task."""
    if task.error is not None and task.error.status == TerminalStatus.COMPLETED:
        return task.error
    return next(t for t in reversed(task.line) if t.role != Role.REVIEWER)


def coder_before(task: Task, judge: Terminal) -> Terminal | None:
    """Return the coder whose work `judge` judges without having been asked with `#review`."""
    before = task.line[: task.line.index(judge)]
    return next((t for t in reversed(before) if t.role != Role.REVIEWER), None)
