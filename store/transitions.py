"""The legal transitions of the three state machines, as data.

The journal's check and the diagrams in the docs are made from these tables.
"""

from bus.status import TaskStatus as Task
from bus.status import TerminalStatus as Terminal
from bus.status import WorkflowStatus as Workflow

WORKFLOW: dict[Workflow, frozenset[Workflow]] = {
    Workflow.CREATED: frozenset({Workflow.STARTING, Workflow.FAILED, Workflow.CANCELLED}),
    Workflow.STARTING: frozenset({Workflow.READY, Workflow.FAILED, Workflow.CANCELLED}),
    Workflow.READY: frozenset({Workflow.RUNNING, Workflow.FAILED, Workflow.CANCELLED}),
    Workflow.RUNNING: frozenset(
        {Workflow.MERGING, Workflow.PAUSED, Workflow.FAILED, Workflow.CANCELLED}
    ),
    Workflow.PAUSED: frozenset({Workflow.RUNNING, Workflow.CANCELLED}),
    Workflow.MERGING: frozenset({Workflow.COMPLETED, Workflow.FAILED, Workflow.CANCELLED}),
    Workflow.COMPLETED: frozenset(),
    Workflow.FAILED: frozenset({Workflow.RUNNING, Workflow.STARTING, Workflow.CANCELLED}),
    Workflow.CANCELLED: frozenset(),
}

TASK: dict[Task, frozenset[Task]] = {
    Task.PENDING: frozenset({Task.RUNNING, Task.CANCELLED}),
    Task.RUNNING: frozenset({Task.REVIEW_PENDING, Task.COMPLETED, Task.FAILED, Task.CANCELLED}),
    Task.REVIEW_PENDING: frozenset({Task.COMPLETED, Task.FAILED, Task.CANCELLED, Task.RUNNING}),
    Task.COMPLETED: frozenset({Task.REVIEW_PENDING, Task.CANCELLED}),
    Task.FAILED: frozenset({Task.RUNNING, Task.CANCELLED}),
    Task.CANCELLED: frozenset(),
}

"""`completed -> review_pending`: a commit came after the accepted one, and a person reviews it.

`completed -> cancelled`: a person leaves its work out of the merge.
"""

TERMINAL: dict[Terminal, frozenset[Terminal]] = {
    Terminal.NOT_STARTED: frozenset({Terminal.STARTING, Terminal.CANCELLED}),
    Terminal.STARTING: frozenset({Terminal.WAITING, Terminal.FAILED, Terminal.CANCELLED}),
    Terminal.WAITING: frozenset({Terminal.RUNNING, Terminal.FAILED, Terminal.CANCELLED}),
    Terminal.RUNNING: frozenset({Terminal.COMPLETED, Terminal.FAILED, Terminal.CANCELLED}),
    Terminal.COMPLETED: frozenset({Terminal.STARTING, Terminal.FAILED}),
    Terminal.FAILED: frozenset({Terminal.STARTING, Terminal.CANCELLED}),
    Terminal.CANCELLED: frozenset({Terminal.STARTING}),
}
"""The usual course, a restart, and three more cases.

The course is `starting -> waiting -> running -> completed | failed | cancelled`, and a restart is
`failed | cancelled -> starting`. A program may fail or be cancelled before it works. A coder that
committed `#done` fails if its reviewer sends the work back. A merge terminal that completed one
resolution is started again for the next.
"""


def is_legal(old: Workflow | Task | Terminal, new: Workflow | Task | Terminal) -> bool:
    """Return whether a state machine has this transition; false for statuses of two machines."""
    match old, new:
        case Workflow(), Workflow():
            return new in WORKFLOW[old]
        case Task(), Task():
            return new in TASK[old]
        case Terminal(), Terminal():
            return new in TERMINAL[old]
    return False
