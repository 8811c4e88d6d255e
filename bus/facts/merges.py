"""Facts about merges, from the merger."""

from bus.action import Action
from bus.facts.base import Fact
from bus.kinds import MergeRefusal


class TargetMoved(Fact, kw_only=True, tag="merge.target_moved"):
    """The target moved after the merge was built on `old`; it is built again on `new`."""

    observed = True

    target: str
    old: str
    new: str


class MergeStarted(Fact, kw_only=True, tag="merge.started"):
    """The branches were merged in order on `base`; `commit` is the result, to be tested."""

    observed = True

    target: str
    base: str
    commit: str
    branches: list[str]


class MergeConflict(Fact, kw_only=True, tag="merge.conflict"):
    """A merge has a conflict; `worktree` holds it for the person or agent that resolves it.

    `message` is what a merge driver said of errors.
    """

    observed = True

    files: list[str]
    branch: str
    against: list[str] = []
    worktree: str = ""
    start: str = ""
    message: str = ""


class MergeTested(Fact, kw_only=True, tag="merge.tested"):
    """The plan's tests ran on `commit`.

    `status` is the exit code. `output` is a directory whose files, in the order of their names,
    hold the whole output.
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


class ResolutionJudged(Fact, kw_only=True, tag="merge.resolution"):
    """A resolution of a conflict was checked; `problems` is empty if it is accepted."""

    observed = True

    commit: str
    problems: list[str]


class MergeRefused(Fact, kw_only=True, tag="merge.refused"):
    """The merge ended without landing; `message` gives the reason in a sentence."""

    observed = True

    reason: MergeRefusal
    message: str
    files: list[str] = []


class MergeLanded(Fact, kw_only=True, tag="merge.landed"):
    """The target was set from `old` to the merge `new`."""

    observed = True

    target: str
    old: str
    new: str
    tested: bool = True


class MergeBehind(Fact, kw_only=True, tag="merge.behind"):
    """`commit` has landed, but these checkouts of the target could not be updated.

    A filter may hang or fail there, for instance. Git's index of such a checkout stays locked until
    the merge is continued.
    """

    observed = True

    target: str
    commit: str
    checkouts: list[str]
    message: str


class MergeForecast(Fact, kw_only=True, tag="merge.forecast"):
    """Two live branches would conflict now in `files`; empty if they no longer do."""

    observed = True

    branches: list[str]
    files: list[str]


class RepairOffered(Fact, kw_only=True, tag="repair.offered"):
    """Something failed and can be repaired: what, the evidence, and the steps that go on.

    `commands` holds the same steps as text, in journals of version 0.1.0 only.
    """

    failed: list[str]
    evidence: str
    actions: list[Action] = []
    commands: list[str] = []
