"""The statuses of the three state machines, spelled once (hazard 13).

The legal transitions between them are data in `store.transitions`; the database
holds a CHECK constraint made from these enums.
"""

from enum import StrEnum


class WorkflowStatus(StrEnum):
    """Where a plan stands, from its submission to its end."""

    CREATED = "created"
    STARTING = "starting"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    MERGING = "merging"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskStatus(StrEnum):
    """Where one branch of work stands."""

    PENDING = "pending"
    RUNNING = "running"
    REVIEW_PENDING = "review_pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TerminalStatus(StrEnum):
    """Where one program in its terminal stands.

    `blocked` and `stalled` are facts shown beside the status, not statuses.
    """

    NOT_STARTED = "not_started"
    STARTING = "starting"
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class MergeStage(StrEnum):
    """What a merge does or waits for."""

    IDLE = "idle"
    """Nothing is being merged: the workflow is not `merging`."""
    BUILDING = "building"
    """The merger merges the branches."""
    TESTING = "testing"
    """The merger tests the merged tree; a green one is landed next."""
    LANDING = "landing"
    """The merger moves the target. Nobody can stop or abort it."""
    CONFLICT = "conflict"
    """A resolution is awaited, from the merge terminal or a person."""
    REPAIR = "repair"
    """The merge terminal mends a red tree."""
    CHECKING = "checking"
    """The merger checks the commit of the merge terminal."""
    BY_HAND = "by_hand"
    """The merger checks what a person left in the worktree of the conflict."""
    CHECKOUT = "checkout"
    """It has landed; a person is to free a checkout that could not follow."""


IN_LINE = frozenset({MergeStage.BUILDING, MergeStage.TESTING, MergeStage.LANDING})
"""It is the merger's turn. Workflows with one target take turns in these (hazard 52)."""

FINAL_WORKFLOW = frozenset({WorkflowStatus.COMPLETED, WorkflowStatus.CANCELLED})
"""A workflow leaves these no more; a failed one may be repaired."""

FINAL_TASK = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})

LIVE_TERMINAL = frozenset({TerminalStatus.STARTING, TerminalStatus.WAITING, TerminalStatus.RUNNING})
"""A program is wanted in these."""
