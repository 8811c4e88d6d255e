"""Cleaning up after a workflow that is over: what may be lost is pinned to a ref before anything
is removed (hazards 47, 51).
"""

import contextlib
import logging
from pathlib import Path

from actors.git import worktrees
from actors.git.command import GitFailed
from actors.git.errors import RepositoryError
from actors.git.pins import pin
from actors.git.refs import HEADS, read_ref
from bus.rows import Workflow
from bus.status import WorkflowStatus

log = logging.getLogger("callboard.merger")


def tidy(row: Workflow, home: Path, tested: Path) -> None:
    """A task's worktree goes only when it is clean and merged; else its state is pinned, and it
    stays. The scratch worktrees of the merge go, pinned before; that of the tests (`tested`)
    just goes. What cannot be cleaned up stays, and is said.
    """
    tip = read_ref(row.git_dir, HEADS + row.target) or ""
    landed = row.status == WorkflowStatus.COMPLETED
    for task in row.tasks:
        if task.worktree and Path(task.worktree).exists():
            _one(row, home, task.worktree, f"{row.id}/{task.id}", tip, landed)
    for scratch in sorted((home / "worktrees" / row.id).glob(".merge-*")):
        _one(row, home, str(scratch), f"{row.id}/{scratch.name.lstrip('.')}", tip, None)
    with contextlib.suppress(GitFailed, RepositoryError, OSError):
        worktrees.discard(row.git_dir, str(home), str(tested))


def _one(row: Workflow, home: Path, path: str, name: str, tip: str, landed: bool | None) -> None:
    """`landed` None: it goes in any case, pinned before."""
    try:
        if landed is None or (landed and worktrees.nothing_to_lose(row.git_dir, path, tip)):
            worktrees.remove(row.git_dir, str(home), path, merged_into=tip, pin_as=name)
        else:
            pin(row.git_dir, path, name)
    except (GitFailed, RepositoryError, OSError) as error:
        log.warning("%s stays: %s", path, error)
