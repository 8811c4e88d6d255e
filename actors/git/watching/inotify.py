"""The watch for Linux: inotify on the directories that hold refs."""

import contextlib
import errno
from pathlib import Path
from typing import Final

from inotify_simple import Event, INotify, flags

from actors.git.watching.directories import (
    ANYTHING,
    Kind,
    branch_directories,
    changed_ref,
    names_in,
    watched_directories,
)

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
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
"""The directory was removed, is none, or lies deeper than any branch can."""
_COMES: Final = flags.CREATE | flags.MOVED_TO
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
        for event in self._inotify.read(timeout=0):
            changed |= self._changed_by(event)
        if ANYTHING in changed:
            self._cover()
        return changed - {""}

    def _changed_by(self, event: Event) -> set[str]:
        """Return what this event may have changed, as `changed_ref` does."""
        if event.mask & flags.MOVE_SELF:
            raise FileNotFoundError(errno.ENOENT, "moved away", self._git_dir)
        kind, place = self._places.get(event.wd, (None, ""))
        if event.mask & flags.IGNORED:
            self._places.pop(event.wd, None)
        if kind is Kind.WORKTREES and event.mask & flags.ISDIR:
            # One worktree of perhaps hundreds: the others need no new look.
            self._watch(f"{self._git_dir}/{place}/{event.name}", Kind.WORKTREE)
        elif kind is Kind.WORKTREE and event.mask & flags.IGNORED:
            return {place}
        elif kind is Kind.HEADS and event.mask & flags.ISDIR and event.mask & _COMES:
            return self._begin(f"{self._git_dir}/{place}/{event.name}")
        elif kind is not Kind.WORKTREE and event.mask & _LOOK_AGAIN:
            return {ANYTHING}
        return set() if kind is None else {changed_ref(kind, place, event.name)}

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
            self._watch(path, kind)

    def _begin(self, path: str) -> set[str]:
        """Watch a new directory of branches; return the branches that are in it already.

        A plan's first branch makes one. The watchers of a hundred other plans on the repository
        need no new look for it.
        """
        found: set[str] = set()
        for below in branch_directories(path):
            self._watch(below, Kind.HEADS)
            place = below.removeprefix(self._git_dir).lstrip("/")
            found |= {changed_ref(Kind.HEADS, place, name) for name in names_in(below)}
        return found

    def _watch(self, path: str, kind: Kind) -> None:
        """Watch one directory, unless it is gone. Raise `OSError` if it cannot be watched."""
        place = path.removeprefix(self._git_dir).lstrip("/")
        mask = _MASK | (flags.MOVE_SELF if kind is Kind.TOP else 0)
        try:
            self._places[self._inotify.add_watch(path, mask)] = (kind, place)
        except OSError as error:
            if error.errno not in _GONE or kind is Kind.TOP:
                raise
