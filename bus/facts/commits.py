"""Facts about commits and refs, from the git watcher."""

from bus.commit_words import Meaning
from bus.facts.base import Fact
from bus.kinds import RefChange


class CommitSeen(Fact, kw_only=True, tag="commit.seen"):
    """A new commit on a task's branch.

    `address` is the task. `verdict` is what the message says. `problem` is why the commit cannot
    count, according to its message or to git.
    `issues` are the words of a reviewer or of a failing coder. `written` is the author's time if
    history was rewritten (a rebase copies others' words), otherwise "". `note` is what git showed
    that does not count against the commit: a lock file of a process that is gone. `empty` says that
    it is a completion and its tree is the one with which the task began. `next` is the
    `next_action` of its metadata, a remark.
    """

    observed = True

    branch: str
    commit: str
    subject: str = ""
    author: str = ""
    verdict: Meaning = Meaning.NOTHING
    issues: str = ""
    names: dict[str, str] = {}
    problem: str = ""
    written: str = ""
    note: str = ""
    empty: bool = False
    next: str = ""


class CommitWaits(Fact, kw_only=True, tag="commit.waits"):
    """A completion is neither accepted nor rejected yet, for `reason`.

    Either git still writes in the worktree, or git cannot examine it (`failed`); then the terminal
    is told.
    """

    observed = True

    branch: str
    commit: str
    reason: str
    failed: bool = False


class CommitRejected(Fact, kw_only=True, tag="commit.rejected"):
    """A completion was not accepted; the terminal is told `reason`."""

    branch: str
    commit: str
    subject: str = ""
    reason: str


class RefRewritten(Fact, kw_only=True, tag="ref.rewritten"):
    """The history of a watched branch was changed.

    `old` and `new` are commit ids or "".
    """

    observed = True

    ref: str
    kind: RefChange
    old: str = ""
    new: str = ""


class TaskReopened(Fact, kw_only=True, tag="task.reopened"):
    """The branch moved on to `commit` after `accepted` was accepted.

    No later commit lands before it is accepted too.
    """

    accepted: str
    commit: str
    reason: str
