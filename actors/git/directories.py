# ruff: noqa: PTH118 (this runs at every event; strings are much faster than Path)
"""Which directories must be watched, and which names in them matter."""

import os
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final


class Kind(Enum):
    """What a watched directory holds."""

    TOP = auto()
    """The common git directory."""
    REFS = auto()
    """`refs`, for the day `refs/heads` is made anew."""
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
"""Instead of a branch's name: something else changed, or nobody can say what."""


def changed_ref(kind: Kind, place: str, name: str) -> str:
    """Whose value a change of the entry `name` can change: a branch's full name, `ANYTHING`, or
    "" when it is none that `RefScanner` reads. `place` is the directory, from the git
    directory on.
    """
    if kind is Kind.HEADS:
        return "" if name.endswith(".lock") else f"{place}/{name}"
    return ANYTHING if kind is Kind.WORKTREES or name in _NAMES[kind] else ""


def watched_directories(git_dir: str) -> Iterator[tuple[str, Kind]]:
    """All of them, parents first. A directory is listed only after it was yielded.

    So a caller that sets its watch before it asks for the next one misses nothing: what is made
    before the listing is listed, and what is made after it is an event (hazard 12).
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
