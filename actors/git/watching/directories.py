# ruff: noqa: PTH118 (this runs at every event; strings are much faster than Path)
"""Which directories a watch must cover, and which entries of them matter."""

import os
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from actors.git.running.names import SHARED_FILES, SHARED_FOLDERS


class Kind(Enum):
    """What a watched directory holds."""

    TOP = auto()
    """The common git directory."""
    REFS = auto()
    """`refs`, because `refs/heads` may be removed and made anew."""
    HEADS = auto()
    """`refs/heads` or a directory below."""
    SHARED = auto()
    """`info`, `hooks` and `objects/info` (`shared`)."""
    WORKTREES = auto()
    """`worktrees`."""
    WORKTREE = auto()
    """The admin directory of one linked worktree."""


_NAMES = {
    Kind.TOP: frozenset(
        {"HEAD", "packed-refs", "refs", "worktrees", *SHARED_FILES, *SHARED_FOLDERS}
    ),
    Kind.REFS: frozenset({"heads"}),
    Kind.WORKTREE: frozenset({"HEAD", "gitdir"}),
}


_READ: Final = frozenset({"attributes", "exclude", "grafts", "alternates"})
"""What git reads in `info` and in `objects/info`, and does not write by itself."""
ANYTHING: Final = "*"
"""Stands in place of a branch's name when something else changed, or it is unknown what did."""


def changed_ref(kind: Kind, place: str, name: str) -> str:
    """Return what may have changed when the directory entry `name` changed.

    That is a branch's full name, `worktrees/NAME`, `ANYTHING`, or "" for an entry that `RefScanner`
    does not read. `kind` and `place` describe the entry's directory; `place` is relative to the git
    directory.
    """
    match kind:
        case Kind.HEADS:
            return "" if name.endswith(".lock") else f"{place}/{name}"
        case Kind.WORKTREES:
            return f"{place}/{name}"
        case Kind.WORKTREE:
            return place if name in _NAMES[kind] else ""
        case Kind.SHARED:
            return ANYTHING if place == "hooks" or name in _READ else ""
        case _:
            return ANYTHING if name in _NAMES[kind] else ""


def watched_directories(git_dir: str) -> Iterator[tuple[str, Kind]]:
    """Yield all directories to watch, parents first.

    A directory is listed only after it was yielded. So a caller that watches each directory before
    it asks for the next one misses none: a subdirectory made before the listing is listed, and one
    made after it causes an event (hazard 12).
    """
    yield git_dir, Kind.TOP
    refs = os.path.join(git_dir, "refs")
    yield refs, Kind.REFS
    for path in branch_directories(os.path.join(refs, "heads")):
        yield path, Kind.HEADS
    for name in (*SHARED_FOLDERS, "objects/info"):
        yield os.path.join(git_dir, name), Kind.SHARED
    worktrees = os.path.join(git_dir, "worktrees")
    yield worktrees, Kind.WORKTREES
    for path in _subdirectories(worktrees):
        yield path, Kind.WORKTREE


def branch_directories(path: str) -> Iterator[str]:
    """Yield a directory of branches and all below it, each before it is listed."""
    to_watch = [path]
    while to_watch:
        path = to_watch.pop()
        yield path
        to_watch += _subdirectories(path)


def names_in(path: str) -> list[str]:
    """Return the names in a directory that are not directories; none if it is gone."""
    return [entry.name for entry in _entries(path) if not entry.is_dir(follow_symlinks=False)]


def _subdirectories(path: str) -> list[str]:
    return [entry.path for entry in _entries(path) if entry.is_dir(follow_symlinks=False)]


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(path))
    except OSError:
        return []
