"""The fact that a commit message gives. `actor` and `judging` examine the repository."""

from datetime import UTC, datetime

import msgspec

from actors.git.reading.commits import Commit
from actors.git.reading.refs import HEADS
from bus.commit_words import Block, Malformed, Meaning, parse
from bus.facts import CommitSeen

_NAMED = ("workflow_id", "task_id", "terminal_id")
_ISSUES = 4_000
_LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59. The year in a fact's time has four digits."""


class Branch(msgspec.Struct, frozen=True):
    """A branch of a task: its address, its name, where it began, and its worktree.

    The worktree of a merge has no branch (`name` is ""). The watcher watches its HEAD instead.
    """

    address: str
    name: str
    base: str
    worktree: str

    @property
    def ref(self) -> str:
        """The ref, and the name of its cursor; for a detached worktree the latter only."""
        return HEADS + self.name if self.name else f"HEAD of {self.worktree}"


def fact_of(branch: Branch, commit: Commit) -> CommitSeen:
    """Return the fact of a commit, from its message alone."""
    subject, _, body = commit.message.strip().partition("\n")
    spoken = parse(commit.message)
    fact = CommitSeen(
        address=branch.address,
        branch=branch.name,
        commit=commit.oid,
        subject=subject[:200],
        author=commit.author,
    )
    if isinstance(spoken, Malformed):
        fact.problem = f"its metadata is malformed: {spoken.reason}"
    elif spoken is not None:
        fact.verdict = spoken.meaning
        if spoken.meaning in (Meaning.FAIL, Meaning.REJECT):
            fact.issues = (spoken.block and spoken.block.issues) or body.strip()[:_ISSUES]
        fact.names = _names(spoken.block)
        fact.next = ((spoken.block and spoken.block.next_action) or "")[:_ISSUES]
    return fact


def utc(seconds: int) -> str:
    """Return Unix seconds in the format of a fact's time.

    Git stores any 64-bit number. A time outside the years 1970 to 9999 becomes the nearest one
    inside.
    """
    inside = min(max(seconds, 0), _LAST_SECOND)
    return datetime.fromtimestamp(inside, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _names(block: Block | None) -> dict[str, str]:
    if block is None:
        return {}
    return {key: value for key in _NAMED if (value := getattr(block, key))}
