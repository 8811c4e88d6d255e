"""Which paths of a repository a program must be able to write to commit on one branch."""

from pathlib import Path

from actors.git.reading.refs import HEADS
from actors.git.running.places import Within
from actors.platform.openings import Limits

LFS = "lfs"
"""Where Git LFS keeps its objects in a repository."""

Unseen = tuple[str, ...] | None
"""The runtime's own directories, which our git does not see in its sandbox in an agent's worktree.
None where that agent has no sandbox: our git has none there either."""


def of_branch(common: Path, worktree: Path, branch: str) -> tuple[list[Path], list[Path]]:
    """Return (writable, read-only) paths for a commit in a linked worktree.

    Writable: the worktree, the objects, the worktree's own admin directory, and the directories of
    the branch's ref and of its log. Git replaces a ref by renaming a lock file beside it, so the
    whole directory must be writable, and with it the other branches in that directory. An empty
    `branch` means a detached HEAD.

    Read-only: the files that say where the repository is, and the worktree's own configuration,
    which is made if it is missing. The shared configuration, hooks, `info` and the
    other refs are in neither list. Git LFS keeps its objects in the repository, where a commit of
    such a file adds one.

    Raises:
        OSError: A directory cannot be made, or the repository knows no such worktree.
    """
    ref = Path(HEADS + branch)
    places = [common / ref.parent, common / "logs" / ref.parent] if branch else []
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    admin = Within(str(common)).admin(str(worktree))
    writable = [worktree, common / "objects", *places, admin, common / LFS]
    own = admin / "config.worktree"  # it may name filters, which our git would run outside
    own.touch()
    read_only = [worktree / ".git", admin / "gitdir", admin / "commondir", own]
    info = common / "objects" / "info"  # alternates and graphs that are not there could be made
    info.mkdir(exist_ok=True)
    read_only.append(info)
    return writable, read_only


def for_reading(git_dir: str, worktree: str, unseen: Unseen) -> Within:
    """Return what our git believes of a worktree in which it only reads, and its sandbox there."""
    if unseen is None:
        return Within(git_dir)
    seen = (worktree, git_dir)
    scratch = (str(Path(git_dir, LFS)),)  # Git LFS writes there to clean a file that it compares
    fence = Limits(cwd=worktree, read_only=seen, hidden=unseen, scratch=scratch, network=False)
    return Within(git_dir, fence)


def for_writing(git_dir: str, worktree: str, unseen: Unseen) -> Within:
    """Return the same for a worktree in which our git writes, on no branch.

    It writes the files, the objects and the worktree's own admin directory, and no ref. Raise
    `OSError` if the repository knows no such worktree.
    """
    if unseen is None:
        return Within(git_dir)
    writable, read_only = of_branch(Path(git_dir), Path(worktree), "")
    fence = Limits(
        cwd=worktree,
        writable=tuple(map(str, writable)),
        read_only=tuple(map(str, read_only)),
        hidden=unseen,
        network=False,
    )
    return Within(git_dir, fence)
