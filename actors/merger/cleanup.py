"""Cleaning up after a workflow that is over.

What could be lost is pinned to a ref before anything is removed (hazards 47, 51).
"""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from actors.git.landing.tested import clear
from actors.git.reading.refs import HEADS, read_ref
from actors.git.running.command import GitFailed
from actors.git.running.converting import as_submitted
from actors.git.running.errors import RepositoryError
from actors.git.trees import worktrees
from actors.git.trees.pins import pin
from actors.git.trees.reach import Unseen
from actors.git.users import keeping
from actors.platform import disk
from actors.platform.openings import OWN
from actors.platform.workers import WorkerDied
from actors.system.own_worker import OwnWorker
from bus.rows import Task, Workflow
from bus.status import WorkflowStatus

log = logging.getLogger("callboard.merger")


def tidy(
    row: Workflow, home: Path, tested: Path, unseen: Unseen, settings: Mapping[str, str] | None
) -> None:
    """Remove the worktrees of a workflow that is over.

    A task's worktree is removed only if it is clean and merged; otherwise its state is pinned, and
    it stays. The scratch worktrees of the merge are pinned and removed, and that of the tests
    (`tested`) is removed. What cannot be removed stays, and is logged. `unseen` is for our git,
    `settings` are those of the submission.
    """
    tip = read_ref(row.git_dir, HEADS + row.target) or ""
    landed = row.status == WorkflowStatus.COMPLETED
    for task in row.tasks:
        if task.worktree and Path(task.worktree).exists():
            _one(row, home, task.worktree, f"{row.id}/{task.id}", tip, landed, unseen, settings)
    for scratch in sorted((home / "worktrees" / row.id).glob(".merge-*")):
        name = f"{row.id}/{scratch.name.lstrip('.')}"
        _one(row, home, str(scratch), name, tip, None, unseen, settings)
    with contextlib.suppress(GitFailed, RepositoryError, OSError):
        clear(row.git_dir, str(home), str(tested))
    for terminal in row.terminals():
        _remove_homes(home / "terminals" / terminal.address.strip("/"), "*/home")
    for runs in ("tests", "*/setup", "*/check"):
        _remove_homes(home / "terminals" / row.id, f"{runs}/*/{OWN}")
    with contextlib.suppress(OSError):
        keeping.forget(home / "repositories" / row.id)


def _remove_homes(directory: Path, pattern: str) -> None:
    """Remove the homes that programs had there: those that were kept for a conversation to go on.

    With them go the changes in home directories of their own.
    """
    for config_home in directory.glob(pattern):
        try:
            if not config_home.is_symlink():
                disk.remove_tree(config_home)
        except OSError as error:
            log.warning("%s stays: %s", config_home, error)


def keep(
    row: Workflow, task: Task, worker: OwnWorker, unseen: Unseen, settings: Mapping[str, str] | None
) -> None:
    """Pin the state of the worktree of a task that was given up; the worktree stays.

    The pin is `refs/callboard/WORKFLOW/TASK`, as at the end of a workflow. `settings` are those of
    the submission.
    """
    if not Path(task.worktree).exists():
        return
    try:
        worker.call(_pin, row.git_dir, task.worktree, f"{row.id}/{task.id}", unseen, settings)
    except (GitFailed, RepositoryError, OSError, WorkerDied) as error:
        log.warning("%s is not pinned: %s", task.worktree, error)


def _pin(
    git_dir: str, path: str, name: str, unseen: Unseen, settings: Mapping[str, str] | None
) -> None:
    with as_submitted(git_dir, settings, path):
        pin(git_dir, path, name, unseen)


def _one(
    row: Workflow,
    home: Path,
    path: str,
    name: str,
    tip: str,
    landed: bool | None,
    unseen: Unseen,
    settings: Mapping[str, str] | None,
) -> None:
    """`landed` None: it goes in any case, pinned before."""
    at = (row.git_dir, str(home), path)
    try:
        with as_submitted(row.git_dir, settings, path):
            if landed is None:
                worktrees.remove(*at, merged_into=tip, pin_as=name, unseen=unseen)
            elif not (landed and worktrees.remove_merged(*at, merged_into=tip, unseen=unseen)):
                pin(row.git_dir, path, name, unseen)
    except (GitFailed, RepositoryError, OSError) as error:
        log.warning("%s stays: %s", path, error)
