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
