"""Remove the lock files that a git of ours left when it was killed or the power failed.

Git removes its lock files however else it ends. A lock file that is left makes every later git
refuse. The lock of a ref that only this program writes is removed when no git that could hold it
runs any more.
"""

from pathlib import Path

from actors.git.running.writing import writers


def release(git_dir: str, *refs: str, places: tuple[str, ...] = ()) -> None:
    """Remove the locks of these refs (full names, or `HEAD`), unless a git may hold them.

    Nothing is removed while a git works in the git directory or in one of `places`, or where the
    system does not tell whether one does.
    """
    locks = [lock for ref in refs if (lock := Path(git_dir, f"{ref}.lock")).is_file()]
    if locks and all(writers(place, git_dir) == [] for place in (git_dir, *places)):
        for lock in locks:
            lock.unlink(missing_ok=True)
