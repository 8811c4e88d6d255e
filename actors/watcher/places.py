"""The directories of a workflow's branches: the repository and the worktrees."""

from pathlib import Path

from actors.git.reading.graph import descends
from actors.git.reading.refs import read_ref
from actors.git.running.library import opened
from actors.git.running.names import read_name
from actors.watcher.commits import Branch


def worktree_name(branch: Branch) -> str | None:
    """Return the worktree's name in the repository, or None if the worktree does not exist.

    It is read from the worktree each time, because git reuses names.
    """
    try:
        text = read_name(f"{branch.worktree}/.git")
    except OSError:
        return None
    return text.removeprefix("gitdir: ").rstrip("/").rpartition("/")[2] or None


def identity_of(git_dir: str) -> tuple[int, int]:
    """Return what tells a repository from another one at the same path."""
    found = Path(git_dir).stat()
    return found.st_dev, found.st_ino


def was_replaced(git_dir: str, ref: str, commit: str) -> bool:
    """Return whether a branch has gone on without a commit that it had, as an amend makes it do."""
    tip = read_ref(git_dir, ref)
    return tip not in (None, commit) and not descends(opened(git_dir), commit, str(tip))


def is_rebasing(git_dir: str, worktree: str) -> bool:
    """Whether a rebase is under way in a linked worktree."""
    place = Path(git_dir, "worktrees", worktree)
    return any((place / name).exists() for name in ("rebase-merge", "rebase-apply"))
