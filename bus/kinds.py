"""The enums of facts and rows that are no status, spelled once (hazard 13).

A column that stores one has a CHECK constraint made from its enum.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a terminal does in its task."""

    CODER = "coder"
    REVIEWER = "reviewer"


class MergeRefusal(StrEnum):
    """Why a merge ended without landing."""

    TARGET_MISSING = "target_missing"
    UNRELATED = "unrelated"
    FILES_IN_THE_WAY = "files_in_the_way"
    TARGET_LOCKED = "target_locked"
    REF_REFUSED = "ref_refused"
    NOT_FORWARD = "not_forward"
    TOO_LONG = "too_long"
    NOT_MERGED = "not_merged"
    TREE_DIFFERS = "tree_differs"
    DAMAGED = "damaged"


class RefChange(StrEnum):
    """How the history of a watched ref was changed."""

    AMEND = "amend"
    REBASE = "rebase"
    RESET = "reset"
    FORCE = "force"
    DELETED = "deleted"
    CREATED = "created"


class Ending(StrEnum):
    """How a program ended; the host's `exit.json` says one of the first three."""

    EXITED = "exited"
    """The status is its exit code."""
    SIGNALED = "signaled"
    """The status is the number of the signal."""
    EXEC_FAILED = "exec_failed"
    """It could not be started; the status is an errno."""
    LOST = "lost"
    """Its host died, so the status is unknown."""
    NEVER_STARTED = "never_started"
    """Its host was asked for and never came."""
