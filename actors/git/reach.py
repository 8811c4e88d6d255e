"""What a program must write of a repository to commit on one branch, and what it must not."""

from pathlib import Path

from actors.git.refs import HEADS


def of_branch(common: Path, worktree: Path, branch: str) -> tuple[list[Path], list[Path]]:
    """Return (writable, read-only) paths for a commit in a linked worktree.

    Writable: the worktree, the objects, the worktree's own administrative directory, and the
    directories of the branch's ref and of its log ("" for a detached HEAD). (A ref is replaced by
    renaming a lock file beside it, so the directory must be writable: branches that share it share
    this.) Read-only: the files that say where the repository is. Configuration, hooks, `info` and
    the other refs are in neither list. Raises `OSError`, `ValueError`.
    """
    ref = Path(HEADS + branch)
    places = [common / ref.parent, common / "logs" / ref.parent] if branch else []
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    admin = _admin(worktree)
    writable = [worktree, common / "objects", *places, admin]
    read_only = [worktree / ".git", admin / "gitdir", admin / "commondir"]
    read_only += [common / "objects" / "info" / "alternates"]
    return writable, read_only


def _admin(worktree: Path) -> Path:
    """The administrative directory of a linked worktree. Raises `OSError`, `ValueError`."""
    text = (worktree / ".git").read_text()
    if not text.startswith("gitdir: "):
        raise ValueError(f"{worktree}/.git does not name a git directory")
    return Path(worktree, text.removeprefix("gitdir: ").strip())
