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


class TargetElsewhere(Fact, kw_only=True, tag="target.moved"):
    """Somebody else than this home's runtime moved the target, here or on a remote.

    `ref` is the target's branch, or the remote-tracking ref that a push from here moved. `commits`
    are the new commits, newest first, at most 20 of `count`. `forced` says that `old` is not in
    the history of `new`, which is "" if the branch was deleted. `who` and `how` are what git noted
    in the reflog, "" if it noted nothing; a program may write there what it likes. `checkouts` are
    on the target, ours of a task among them. `at_work` names the terminals that worked in the
    repository then: it may have been one of them, or a program of the user.
    """

    ref: str
    old: str
    new: str
    commits: list[str]
    count: int
    forced: bool = False
    who: str = ""
    how: str = ""
    checkouts: list[str] = []
    at_work: list[str] = []


class RepositorySettled(Fact, kw_only=True, tag="repository.settled"):
    """A change of the repository's shared files is over; `how` says what became of it.

    `by` and `peer` are as in `workflow.status`, and "" if nobody asked for it.
    """

    how: Settled
    files: list[str] = []
    by: str = ""
    peer: str = ""
