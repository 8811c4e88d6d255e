"""The scratch worktrees of a merge, beside the worktrees of the tasks in the home.

In one a conflict is laid out, in one a tree with failing tests is repaired, and in one the tests
run.
"""

import logging
from pathlib import Path

from actors.git.running.command import GitRefused, git
from actors.git.trees.reach import Unseen, for_writing
from bus.rows import Workflow
from bus.status import TerminalStatus

log = logging.getLogger("callboard.merger")


def scratch(home: Path, workflow: str, name: str) -> Path:
    """Return the path of a scratch worktree; its parent directory is made."""
    path = home / "worktrees" / workflow / f".{name}"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def at_work(row: Workflow) -> bool:
    """Return whether the merge terminal works in the worktree of the merge.

    It cannot leave that directory.
    """
    helper = row.merge_terminal
    works = helper is not None and helper.status == TerminalStatus.RUNNING
    return works and bool(row.merge.worktree) and Path(row.merge.worktree).is_dir()


def bring(git_dir: str, worktree: Path, commit: str, unseen: Unseen) -> bool:
    """Check a commit out in the worktree in which the merge terminal works.

    Return False if changes of the terminal are in the way; they stay. (The repair of a red tree
    is then rejected with the reason, and a conflict is laid out in another worktree.)
    """
    try:
        git(
            *("checkout", "-q", "--detach", commit),
            at=str(worktree),
            within=for_writing(git_dir, str(worktree), unseen),
            refusals="would be overwritten|resolve your current index first",
        )
    except GitRefused as error:
        log.warning("%s: %s", worktree, error)
        return False
    return True
