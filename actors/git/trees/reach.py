"""Which paths of a repository a program must be able to write to commit on one branch."""

from pathlib import Path

from actors.git.reading.refs import HEADS
from actors.platform.files import read_line


def of_branch(common: Path, worktree: Path, branch: str) -> tuple[list[Path], list[Path]]:
    """Return (writable, read-only) paths for a commit in a linked worktree.

    Writable: the worktree, the objects, the worktree's own admin directory, and the directories of
    the branch's ref and of its log. Git replaces a ref by renaming a lock file beside it, so the
    whole directory must be writable, and with it the other branches in that directory. An empty
    `branch` means a detached HEAD.

    Read-only: the files that say where the repository is. Configuration, hooks, `info` and the
    other refs are in neither list.

    Raises:
        OSError: A directory cannot be made, or the worktree's `.git` cannot be read.
        ValueError: The worktree's `.git` does not name a git directory.
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
    """Return the admin directory of a linked worktree. Raise `OSError` or `ValueError`."""
    text = read_line(worktree / ".git")
    if not text.startswith("gitdir: "):
        raise ValueError(f"{worktree}/.git does not name a git directory")
    return Path(worktree, text.removeprefix("gitdir: ").strip())
