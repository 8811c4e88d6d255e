"""The watch for Linux: inotify on the directories that hold refs."""

import contextlib
import errno
from pathlib import Path
from typing import Final

from inotify_simple import INotify, flags

from actors.git.directories import ANYTHING, Kind, changed_ref, watched_directories

# A ref changes when its lock file is renamed (MOVED_TO). CLOSE_WRITE is for programs that write in
# place, such as go-git.
_MASK: Final = (
    flags.CREATE
    | flags.MOVED_TO
    | flags.MOVED_FROM
    | flags.DELETE
    | flags.CLOSE_WRITE
    | flags.DELETE_SELF
    | flags.ONLYDIR
    | flags.DONT_FOLLOW
)
_WHERE: Final = flags.MOVE_SELF | flags.ONLYDIR
"""For the directories above the repository. Moving one of them moves the repository, too, and the
watches stay with the moved directories."""
_LOOK_AGAIN: Final = flags.ISDIR | flags.IGNORED | flags.Q_OVERFLOW


class InotifyWatch:
    """A `RefWatch` by inotify.

    Making one raises `OSError` when the user's inotify watches or instances are used up.
    """

    period: float | None = None

    def __init__(self, git_dir: str) -> None:
        self._git_dir = git_dir
        self._inotify = INotify()
        self._places: dict[int, tuple[Kind, str]] = {}  # by watch descriptor
        try:
            self._cover()
            self._watch_place()
        except OSError:
            self._inotify.close()
            raise

    def fileno(self) -> int | None:
        """Return the inotify descriptor."""
        return int(self._inotify.fileno())

    def drain(self) -> set[str]:
        """See `RefWatch`. If the kernel dropped events, the result has `ANYTHING`."""
        changed: set[str] = set()
        look_again = False
        for event in self._inotify.read(timeout=0):
            if event.mask & flags.MOVE_SELF:
                raise FileNotFoundError(errno.ENOENT, "moved away", self._git_dir)
            if event.mask & flags.IGNORED:
                self._places.pop(event.wd, None)
            if event.mask & _LOOK_AGAIN:
                changed.add(ANYTHING)
                look_again = True
            elif (place := self._places.get(event.wd)) is not None:
                changed.add(changed_ref(*place, event.name))
        if look_again:
            self._cover()
        return changed - {""}

    def close(self) -> None:
        """Release the descriptor."""
        self._inotify.close()

    def _watch_place(self) -> None:
        """Watch the directories above for moves, except those that may not be read.

        The watcher's periodic reconcile finds a move that is missed here.
        """
        for above in Path(self._git_dir).parents:
            with contextlib.suppress(OSError):
                self._inotify.add_watch(str(above), _WHERE)

    def _cover(self) -> None:
        """Watch all directories. For one that is watched already, the kernel changes nothing."""
        for path, kind in watched_directories(self._git_dir):
            try:
                place = path.removeprefix(self._git_dir).lstrip("/")
                mask = _MASK | (flags.MOVE_SELF if kind is Kind.TOP else 0)
                self._places[self._inotify.add_watch(path, mask)] = (kind, place)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR) or kind is Kind.TOP:
                    raise
