"""Facts about what a workflow that is over left."""

from bus.facts.base import Fact
from bus.peer import By


class WorkflowCleaned(Fact, kw_only=True, tag="workflow.cleaned"):
    """What a workflow left was removed, and what stays is named with the reason.

    At most 50 of each are named. `by` and `peer` are as in `WorkflowMoved`.
    """

    removed: list[str]
    kept: list[str] = []
    by: By = By.RUNTIME
    peer: str = ""


class WorkflowForgotten(Fact, kw_only=True, tag="workflow.forgotten"):
    """The rows and the facts of a workflow were removed.

    Its id may be given to a new workflow. `by` and `peer` are as in `WorkflowMoved`.
    """

    by: By = By.RUNTIME
    peer: str = ""
