"""Facts about the tasks of a plan: what they wait for, and how the plan changes."""

from typing import Any

from bus.facts.base import Fact
from bus.kinds import Role
from bus.peer import By


class TaskWaits(Fact, kw_only=True, tag="task.waits"):
    """A task that comes after others does not begin yet; `reason` says why, in a sentence.

    `after` holds the addresses of the tasks before it that have not completed.
    """

    reason: str
    after: list[str] = []


class TaskBased(Fact, kw_only=True, tag="task.based"):
    """The tasks before this one are merged: the task begins at `commit`.

    It contains the accepted commits of `branches`, merged on the commit `base` of the target.
    `round` is the number of the build.
    """

    observed = True

    target: str
    base: str
    commit: str
    branches: list[str]
    round: int


class TaskAdded(Fact, kw_only=True, tag="task.added"):
    """A task was added to the plan; `by` and `peer` are as in `WorkflowMoved`."""

    branch: str
    after: list[str] = []
    by: By = By.RUNTIME
    peer: str = ""


class TaskCancelled(Fact, kw_only=True, tag="task.cancelled"):
    """A task was given up and is not merged; its branch stays at `commit`.

    `dependants` are the addresses of the tasks that come after it, directly or through others.
    """

    branch: str
    commit: str = ""
    dependants: list[str] = []
    by: By = By.RUNTIME
    peer: str = ""


class TerminalAdded(Fact, kw_only=True, tag="terminal.added"):
    """A terminal was added to a task."""

    cli: str
    role: Role
    by: By = By.RUNTIME
    peer: str = ""


class InstructionReplaced(Fact, kw_only=True, tag="instruction.replaced"):
    """A terminal that has not begun its work has another instruction, of so many bytes."""

    bytes: int
    by: By = By.RUNTIME
    peer: str = ""


class PlanChanged(Fact, kw_only=True, tag="plan.changed"):
    """Keys of the plan have new values; `order` stands for the order of the tasks' ids."""

    changes: dict[str, Any]
    by: By = By.RUNTIME
    peer: str = ""


class TaskChecked(Fact, kw_only=True, tag="task.checked"):
    """The check of a task ran on `commit`, with which its coder hands its work on.

    The fields are those of `MergeTested`. `run` counts the checks of the task.
    """

    observed = True

    commit: str
    passed: bool
    command: list[str]
    status: int = 0
    seconds: float = 0.0
    timed_out: bool = False
    run: int = 1
    output: str = ""
    tail: str = ""
