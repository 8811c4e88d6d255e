"""When to look at the refs again: a file descriptor for someone's event loop.

    watch = open_watch(git_dir)
    state = scanner.scan()             # after the watch stands, so nothing falls between
    ... watch.fileno() is readable ...
    if watch.drain():
        state = scanner.scan()         # compare values, not events

`drain` says only what may have changed. What an event means is never asked: git writes
a lock file, renames it, packs, deletes and makes directories in many orders, and the values on
disk after the event are the truth (hazards 11, 12).
"""

import sys
from pathlib import Path
from typing import Protocol

from actors.git.polling import PollingWatch

if sys.platform == "darwin":
    from actors.git.kqueue import KqueueWatch
if sys.platform == "linux":
    from actors.git.inotify import InotifyWatch


class RefWatch(Protocol):
    """What every kind of watch offers. Belongs to one thread."""

    period: float | None
    """Seconds after which the owner must call `drain` by itself; None: wait for the descriptor."""

    def fileno(self) -> int | None:
        """Readable when there is something to drain; None for a watch that must be polled."""

    def drain(self) -> set[str]:
        """Take all pending events; the full names of the branches that may have changed, and
        `ANYTHING` for whatever else may have. No wait. Raises `OSError` where the repository is
        gone or the system has no more watches; then it is of no use any more.
        """

    def close(self) -> None:
        """Release the descriptor."""


def open_watch(git_dir: str) -> RefWatch:
    """The best watch for this machine: inotify, kqueue, or polling when the system has no more.

    `git_dir` is the common directory. Polling is also what is left when the limits on inotify
    watches or instances (`fs.inotify.max_user_*`) are used up by other programs.
    """
    try:
        if sys.platform == "linux":
            return InotifyWatch(git_dir)
        if sys.platform == "darwin":
            return KqueueWatch(git_dir)
    except OSError:
        if not Path(git_dir).is_dir():
            raise
    return PollingWatch(git_dir)
