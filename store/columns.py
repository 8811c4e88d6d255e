"""The columns that a change may set, with their types.

A change names them as keyword arguments (`update_merge("demo", stage=MergeStage.LANDING)`), which
the type checker checks. A test compares them with the tables.
"""

from typing import Any, TypedDict

from bus.kinds import LaunchWait, LimitKind
from bus.questions import Cause
from bus.rows import Forecast
from bus.status import MergeStage, QuestionStage


class WorkflowColumns(TypedDict, total=False):
    """The columns of a workflow's row that change, except its status."""

    handled: int
    frozen: bool
    tidied: bool
    kept: str
    settings: str
    changed: str
    held: str
    moved: str
    capped: int
    forecast: list[Forecast]
    plan: bytes


class MergeColumns(TypedDict, total=False):
    """The columns of a merge's row that change; see `bus.rows.Merge`."""

    stage: MergeStage
    round: int
    base: str
    commit: str
    runs: int
    tested: bool
    resolution: str
    repaired: str
    files: list[str]
    branch: str
    worktree: str
    start: str
    queued: str
    commit_time: str
    told: str
    repairs: int
    problem: str
    task: str


class QuestionColumns(TypedDict, total=False):
    """The columns of a question that change; see `bus.questions.Question`."""

    stage: QuestionStage
    causes: list[Cause]
    digest: str
    reserved: int
    tokens: int
    cut: bool
    refused: str
    at: str
    proposal: dict[str, Any]


class TaskColumns(TypedDict, total=False):
    """The columns of a task's row that change, except its status."""

    base: str
    tip: str
    accepted: str
    speaker: str
    worktree: str
    rounds: int
    repairs: int
    issues: str
    capped: int
    after: list[str]
    carried: str
    held: str
    position: int
    checking: str
    check_review: bool
    check_run: int
    checked: int


class TerminalColumns(TypedDict, total=False):
    """The columns of a terminal's row that change, except its status.

    `plan` is a `bus.plan.TerminalPlan` as JSON.
    """

    cli: str
    plan: bytes
    incarnation: int
    token: str
    wanted: bool
    shall_run: bool
    kept: bool
    resting: bool
    launch_over: bool
    gone: bool
    step: int
    instruction: str
    sent: int
    delivered: int
    blocked: str
    stalled: bool
    rejections: int
    working_since: str
    working_clock: float
    ended: int
    nudges: int
    idle: str
    waits: LaunchWait
    limited: LimitKind
    until: str
    estimated: bool
    account: str
    limits: int
    fallbacks: int
    tokens: int
    cost: float
    capped: int
    fresh: int
    resumed: bool
