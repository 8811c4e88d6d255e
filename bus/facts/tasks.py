"""Facts about the tasks of a plan: what they wait for, and how the plan changes."""

from bus.facts.base import Fact


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
