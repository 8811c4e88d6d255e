"""The enums of facts and rows that are no status, spelled once (hazard 13).

A column that stores one has a CHECK constraint made from its enum.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a terminal does in its task."""

    CODER = "coder"
    REVIEWER = "reviewer"


class LimitKind(StrEnum):
    """Why a terminal is limited. `NONE` stands in the row of one that is not."""

    NONE = ""
    USAGE = "usage"
    """The account has used up what it may use until a time."""
    RATE = "rate"
    """Too many requests; a short wait helps."""
    OVERLOAD = "overload"
    """The provider fails or is overloaded."""
    LOGIN = "login"
    """The program is not logged in, or its key is refused."""
    CREDIT = "credit"
    """The account has no credit left."""
    CONTEXT = "context"
    """The conversation is as long as the model can read."""
    CAP = "cap"
    """A cap of the plan's `[limits]` is reached."""


class LaunchWait(StrEnum):
    """What a launch waits for beside its turn. `NONE` stands in the row of one that does not."""

    NONE = ""
    MEMORY = "memory"
    """The machine has too little free memory, or the workflow's programs take all that they may."""
    DISK = "disk"
    """The disk of the home, or of the repository, is nearly full."""
    PLACE = "place"
    """As many programs of its workflow run as `max_terminals` allows."""
    LIMIT = "limit"
    """The account is limited, and nothing else can go on in its place."""


OF_ACCOUNT = frozenset(
    {LimitKind.USAGE, LimitKind.RATE, LimitKind.OVERLOAD, LimitKind.LOGIN, LimitKind.CREDIT}
)
"""Limits that hold for every terminal of the account."""


class CauseKind(StrEnum):
    """What made a question to the orchestrator necessary."""

    NEXT = "next"
    """A commit that counts names a next step."""
    REJECTED = "rejected"
    """A coder's work was sent back more than once."""
    IDLE = "idle"
    """A terminal has stopped without a commit that counts, and the nudges are used up."""
    STALLED = "stalled"
    """A terminal shows nothing new."""
    PROMPT = "prompt"
    """A terminal asks something that no rule answers."""
    CONFLICT = "conflict"
    """A merge has a conflict that no merge terminal resolves."""
    RED = "red"
    """The tests of the merged tree failed."""
    FAILED = "failed"
    """A task has failed."""
    OVERLAP = "overlap"
    """Two branches would conflict if they were merged now."""
    SUMMARY = "summary"
    """The workflow has landed, and a person wants to know how it went; nothing is carried out."""
    ASK = "ask"
    """A person puts a question or an order; it is the only cause of its question."""


class Settled(StrEnum):
    """What became of a change of the repository's shared files."""

    RESTORED = "restored"
    """A person had them put back."""
    ACCEPTED = "accepted"
    """A person took them as they are."""
    AS_BEFORE = "as_before"
    """Somebody put them back in the repository itself."""


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
