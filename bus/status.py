"""The statuses of the three state machines, spelled once (hazard 13).

The legal transitions between them are data in `store.transitions`. The database has CHECK
constraints made from these enums.
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
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    REVIEW_PENDING = "review_pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TerminalStatus(StrEnum):
    """Where a terminal and its program stand.

    `blocked` and `stalled` are no statuses; they are separate columns of the row.
    """

    NOT_STARTED = "not_started"
    STARTING = "starting"
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class MergeStage(StrEnum):
    """What the merge of a workflow does or waits for."""

    IDLE = "idle"
    """Nothing is being merged; the workflow is not `merging`."""
    BUILDING = "building"
    """The merger merges the branches."""
    TESTING = "testing"
    """The merger tests the merge commit, which lands next if the tests pass."""
    LANDING = "landing"
    """The merger moves the target. This cannot be stopped or aborted."""
    CONFLICT = "conflict"
    """The merge waits for a resolution by the merge terminal or a person."""
    REPAIR = "repair"
    """The merge terminal repairs a merge whose tests failed."""
    CHECKING = "checking"
    """The merger checks the commit of the merge terminal."""
    BY_HAND = "by_hand"
    """The merger checks a person's resolution in the worktree of the conflict."""
    CHECKOUT = "checkout"
    """The merge has landed; a person is to free a checkout that could not be updated."""


class QuestionStage(StrEnum):
    """How far a question to the orchestrator has come."""

    WAITING = "waiting"
    """It collects what happens while another one is open."""
    WANTED = "wanted"
    """It is to be asked now; its tokens are reserved."""
    ASKED = "asked"
    """It was put to the model. If the runtime ends meanwhile, it counts as spent."""
    ANSWERED = "answered"
    """The answer is in the journal, and is to be decided on."""
    OVER = "over"
    """What was proposed was carried out or refused."""
    UNANSWERED = "unanswered"
    """There is no answer: every call failed, was cut, or the budget was spent."""


IN_LINE = frozenset({MergeStage.BUILDING, MergeStage.TESTING, MergeStage.LANDING})
"""Stages in which the merger works. Workflows with one target queue for them (hazard 52)."""

FINAL_WORKFLOW = frozenset({WorkflowStatus.COMPLETED, WorkflowStatus.CANCELLED})
"""Statuses that a workflow never leaves. `failed` is not one: it may be repaired."""

FINAL_TASK = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})

OPEN_QUESTION = frozenset({QuestionStage.WANTED, QuestionStage.ASKED, QuestionStage.ANSWERED})
"""Stages of a question for whose end the next one waits."""

LIVE_TERMINAL = frozenset({TerminalStatus.STARTING, TerminalStatus.WAITING, TerminalStatus.RUNNING})
"""Statuses in which the terminal's program is wanted."""
