"""What a commit says, as a fact. Nothing here asks git: that is the watcher's and `judging`'s."""

from datetime import UTC, datetime

import msgspec

from actors.git.commits import Commit
from actors.git.refs import HEADS
from bus.commit_words import Block, Malformed, Meaning, parse
from bus.facts import CommitSeen

_NAMED = ("workflow_id", "task_id", "terminal_id")
_ISSUES = 4_000
_LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59: a time as facts write it has four digits for the year."""


class Branch(msgspec.Struct, frozen=True):
    """A branch of ours: whose it is, where it began, and where it is checked out.

    The worktree of a merge has no branch (`name` is ""): there its HEAD is watched.
    """

    address: str
    name: str
    base: str
    worktree: str

    @property
    def ref(self) -> str:
        """The ref, or for a detached worktree what its cursor is kept under."""
        return HEADS + self.name if self.name else f"HEAD of {self.worktree}"


def fact_of(branch: Branch, commit: Commit) -> CommitSeen:
    """Say what the commit's message says; what git has to say to it is not asked."""
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
        fact.problem = f"its metadata cannot be believed: {spoken.reason}"
    elif spoken is not None:
        fact.verdict = spoken.meaning
        if spoken.meaning in (Meaning.FAIL, Meaning.REJECT):
            fact.issues = (spoken.block and spoken.block.issues) or body.strip()[:_ISSUES]
        fact.names = _names(spoken.block)
    return fact


def utc(seconds: int) -> str:
    """Write seconds since 1970 as facts write a time, to the second.

    Git stores any 64-bit number: what lies outside the years 1970 to 9999 becomes the nearest time
    inside.
    """
    inside = min(max(seconds, 0), _LAST_SECOND)
    return datetime.fromtimestamp(inside, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _names(block: Block | None) -> dict[str, str]:
    if block is None:
        return {}
    return {key: value for key in _NAMED if (value := getattr(block, key))}
