"""Facts about statuses; the journal makes one from each transition."""

from bus.facts.base import Fact
from bus.peer import By
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus


class WorkflowMoved(Fact, kw_only=True, tag="workflow.status"):
    """A workflow changed its status.

    `by` is who caused it. `peer` is what the system reports
    about that process.
    """

    old: WorkflowStatus | None
    new: WorkflowStatus
    reason: str = ""
    by: By = By.RUNTIME
    peer: str = ""


class TaskMoved(Fact, kw_only=True, tag="task.status"):
    """A task changed its status; `by` and `peer` are as in `WorkflowMoved`."""

    old: TaskStatus | None
    new: TaskStatus
    reason: str = ""
    by: By = By.RUNTIME
    peer: str = ""


class TerminalMoved(Fact, kw_only=True, tag="terminal.status"):
    """A terminal changed its status; `by` and `peer` are as in `WorkflowMoved`."""

    old: TerminalStatus | None
    new: TerminalStatus
    reason: str = ""
    incarnation: int = 0
    by: By = By.RUNTIME
    peer: str = ""
