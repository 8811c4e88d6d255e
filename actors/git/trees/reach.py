"""Which paths of a repository a program must be able to write to commit on one branch."""

from pathlib import Path

from actors.git.reading.refs import HEADS
from actors.git.running.places import Within
from actors.platform.files import read_line
from actors.platform.sandbox import Limits


def of_branch(common: Path, worktree: Path, branch: str) -> tuple[list[Path], list[Path]]:
    """Return (writable, read-only) paths for a commit in a linked worktree.

    Writable: the worktree, the objects, the worktree's own admin directory, and the directories of
    the branch's ref and of its log. Git replaces a ref by renaming a lock file beside it, so the
    whole directory must be writable, and with it the other branches in that directory. An empty
    `branch` means a detached HEAD.

    Read-only: the files that say where the repository is, and the worktree's own configuration,
    which is made if it is missing. The shared configuration, hooks, `info` and the
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
    own = admin / "config.worktree"  # it may name filters, which our git would run outside
    own.touch()
    read_only = [worktree / ".git", admin / "gitdir", admin / "commondir", own]
    read_only += [common / "objects" / "info" / "alternates"]
    return writable, read_only


def for_reading(git_dir: str, worktree: str, fenced: bool, hidden: tuple[Path, ...]) -> Within:
    """Return what our git believes of a worktree in which it only reads, and its sandbox there.

    `fenced` says that the agent of this worktree has a sandbox. `hidden` are the runtime's own
    directories.
    """
    if not fenced:
        return Within(git_dir)
    unseen = tuple(map(str, hidden))
    seen = (worktree, git_dir)
    fence = Limits(cwd=worktree, read_only=seen, hidden=unseen, network=False)
    return Within(git_dir, fence)


def _admin(worktree: Path) -> Path:
    """Return the admin directory of a linked worktree. Raise `OSError` or `ValueError`."""
    text = read_line(worktree / ".git")
    if not text.startswith("gitdir: "):
        raise ValueError(f"{worktree}/.git does not name a git directory")
    return Path(worktree, text.removeprefix("gitdir: ").strip())
