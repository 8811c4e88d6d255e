"""Facts about the files that all worktrees of a repository share, from the watcher."""

from bus.facts.base import Fact
from bus.kinds import Settled


class RepositoryChanged(Fact, kw_only=True, tag="repository.changed"):
    """The configuration, the hooks or `info/` of the repository are not as at the submission.

    `files` names what differs, a setting as `config` and its key. With `held`, nothing lands until
    a person puts them back or accepts them. `diff` is cut to some thousand characters, and shows no
    keys. `at_work` names the terminals that worked in the repository then; it may have been one of
    them, or a program of the user.
    """

    files: list[str]
    held: bool
    diff: str
    at_work: list[str] = []


class RepositorySettled(Fact, kw_only=True, tag="repository.settled"):
    """A change of the repository's shared files is over; `how` says what became of it.

    `by` and `peer` are as in `workflow.status`, and "" if nobody asked for it.
    """

    how: Settled
    files: list[str] = []
    by: str = ""
    peer: str = ""
