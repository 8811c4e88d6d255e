"""The watch for macOS: a kqueue over the directories that hold refs.

kqueue reports that a directory changed, but not which entry. So `drain` returns `ANYTHING`, also
for changes that do not matter. The module was written from the manual page; its author has not run
it on a Mac.
"""

import os
import select
import sys
from pathlib import Path

from actors.git.watching.directories import ANYTHING, watched_directories

if sys.platform == "darwin":

    class KqueueWatch:
        """A `RefWatch` by kqueue, with one descriptor for each watched directory.

        Its methods raise `OSError` when the process has no more descriptors.
        """

        period: float | None = None

        def __init__(self, git_dir: str) -> None:
            self._git_dir = git_dir
            self._queue = select.kqueue()
            self._open: dict[str, tuple[int, int]] = {}  # path -> (inode, descriptor)
            self._cover()

        def fileno(self) -> int | None:
            """Return the kqueue descriptor."""
            return self._queue.fileno()

        def drain(self) -> set[str]:
            """Return `ANYTHING` if a watched directory has changed."""
            changed = False
            while self._queue.control(None, 64, 0):
                changed = True
            if changed:
                self._cover()
            return {ANYTHING} if changed else set()

        def close(self) -> None:
            """Release all descriptors."""
            for _, descriptor in self._open.values():
                os.close(descriptor)
            self._open.clear()
            self._queue.close()

        def _cover(self) -> None:
            seen = set()
            # The generator lists a directory only after it is watched, so a subdirectory that is
            # made meanwhile is either listed or reported.
            for path, _ in watched_directories(self._git_dir):
                seen.add(path)
                self._watch(path)
            for path in self._open.keys() - seen:
                os.close(self._open.pop(path)[1])

        def _watch(self, path: str) -> None:
            try:
                inode = Path(path).stat().st_ino
                if path in self._open:
                    if self._open[path][0] == inode:
                        return
                    os.close(self._open.pop(path)[1])
                descriptor = os.open(path, os.O_EVTONLY)
            except FileNotFoundError:
                return
            self._open[path] = (inode, descriptor)
            event = select.kevent(
                descriptor,
                select.KQ_FILTER_VNODE,
                select.KQ_EV_ADD | select.KQ_EV_CLEAR,
                select.KQ_NOTE_WRITE
                | select.KQ_NOTE_EXTEND
                | select.KQ_NOTE_DELETE
                | select.KQ_NOTE_RENAME,
            )
            self._queue.control([event], 0, 0)
