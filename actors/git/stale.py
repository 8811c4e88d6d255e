"""Lock files that a git of ours left when it was killed, or when the power went.

Git removes its lock files at every end but these, and then refuses for ever. A lock of a ref that
only this program writes is removed when no git that could hold it runs any more.
"""

from pathlib import Path

from actors.git.writing import writers


def release(git_dir: str, *refs: str, places: tuple[str, ...] = ()) -> None:
    """Remove the locks of these refs (full names, or `HEAD`), unless a git works in the git
    directory or in one of `places`, or that cannot be found out.
    """
    locks = [lock for ref in refs if (lock := Path(git_dir, f"{ref}.lock")).is_file()]
    if locks and all(writers(place, git_dir) == [] for place in (git_dir, *places)):
        for lock in locks:
            lock.unlink(missing_ok=True)
