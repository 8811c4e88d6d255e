"""Say when to read the refs again, by a file descriptor for the caller's event loop.

    watch = open_watch(git_dir)
    state = scanner.scan()             # after the watch is set, so no change is missed
    ... watch.fileno() is readable ...
    if watch.drain():
        state = scanner.scan()         # compare values, not events

`drain` says only what may have changed. The events themselves are not interpreted: git writes and
renames lock files, packs refs, and makes and deletes directories in many orders. Only the values
on disk after the event count (hazards 11, 12).
"""

import sys
from pathlib import Path
from typing import Protocol

from actors.git.watching.polling import PollingWatch

if sys.platform == "darwin":
    from actors.git.watching.kqueue import KqueueWatch
if sys.platform == "linux":
    from actors.git.watching.inotify import InotifyWatch


class RefWatch(Protocol):
    """The interface of every watch. For one thread."""

    period: float | None
    """Seconds between the owner's calls of `drain`; None to wait for the descriptor instead."""

    def fileno(self) -> int | None:
        """Return the descriptor, readable when there are events; None for a watch to be polled."""

    def drain(self) -> set[str]:
        """Take all pending events, without waiting; return what may have changed.

        The result has the full names of branches, `worktrees/NAME` where the HEAD of a worktree may
        have changed, and `ANYTHING` for any other change. Raise
        `OSError` if the repository is gone or the system has no more watches; the watch is then of
        no more use.
        """

    def close(self) -> None:
        """Release the descriptor."""


def open_watch(git_dir: str) -> RefWatch:
    """Return the best watch for this machine: inotify, kqueue or polling.

    `git_dir` is the common git directory. Polling is used on other systems, and when the system has
    no more watches: other programs may have used up the limits `fs.inotify.max_user_*`. Raise
    `OSError` if `git_dir` is not a directory.
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
