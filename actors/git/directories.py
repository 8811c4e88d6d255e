# ruff: noqa: PTH118 (this runs at every event; strings are much faster than Path)
"""Which directories a watch must cover, and which entries of them matter."""

import os
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final


class Kind(Enum):
    """What a watched directory holds."""

    TOP = auto()
    """The common git directory."""
    REFS = auto()
    """`refs`, because `refs/heads` may be removed and made anew."""
    HEADS = auto()
    """`refs/heads` or a directory below."""
    WORKTREES = auto()
    """`worktrees`."""
    WORKTREE = auto()
    """The admin directory of one linked worktree."""


_NAMES = {
    Kind.TOP: frozenset({"HEAD", "packed-refs", "refs", "worktrees"}),
    Kind.REFS: frozenset({"heads"}),
    Kind.WORKTREE: frozenset({"HEAD", "gitdir"}),
}


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
    yield from _below(os.path.join(refs, "heads"))
    worktrees = os.path.join(git_dir, "worktrees")
    yield worktrees, Kind.WORKTREES
    for path in _subdirectories(worktrees):
        yield path, Kind.WORKTREE


def _below(path: str) -> Iterator[tuple[str, Kind]]:
    yield path, Kind.HEADS
    for child in _subdirectories(path):
        yield from _below(child)


def _subdirectories(path: str) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
