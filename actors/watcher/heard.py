"""What the watch reported and the watcher has not looked at yet."""

import os
import threading
from pathlib import Path

from actors.git.watching.directories import ANYTHING
from actors.watcher.commits import Branch
from actors.watcher.watches import News


class Heard:
    """The names that may have changed. The event loop adds, the watcher's thread takes."""

    def __init__(self, worktrees: Path) -> None:
        """`worktrees` is the directory of the workflow's worktrees."""
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._wanted: frozenset[str] | None = None
        self._below = os.path.realpath(worktrees) + os.sep
        self._ours: set[str] = set()
        """Worktrees that were below `worktrees` when something in their registration changed."""

    def add(self, news: News) -> bool:
        """Note the names if one of them is wanted; return whether the watcher must be told."""
        with self._lock:
            if not self._concerns(news):
                return False
            first = not self._names
            self._names |= news.keys()
            return first

    def _concerns(self, news: News) -> bool:
        wanted = self._wanted
        if wanted is None or not wanted.isdisjoint(news):
            return True
        return ANYTHING in news or any(self._is_ours(*each) for each in news.items())

    def _is_ours(self, name: str, place: str) -> bool:
        """Whether a name, `worktrees/NAME`, is of a worktree of this workflow.

        A hundred workflows on one repository make three hundred worktrees, and each is a concern of
        one. A registration without a place is being made, which changes it once more, or is
        removed.
        """
        if place.startswith(self._below):
            self._ours.add(name)
        return name in self._ours

    def take(self) -> set[str]:
        """Return the names that were noted since the last call."""
        with self._lock:
            names, self._names = self._names, set()
            return names

    @property
    def wanted(self) -> frozenset[str] | None:
        """The branches whose changes are noted; None for all."""
        return self._wanted

    def want(self, refs: frozenset[str] | None) -> bool:
        """Note changes of these branches from now on; return whether they were noted before."""
        with self._lock:
            before, self._wanted = self._wanted, refs
        return before is None or (refs is not None and refs <= before)


def concerned(names: set[str], branches: list[Branch]) -> list[Branch]:
    """Return the branches that changes of these names may concern.

    If another branch than theirs has moved, a worktree may be on it, so all are concerned. Git
    names a worktree after the last part of its path, and may add a number. The scratch worktree of
    a merge has a name that git changes, so it is always concerned.
    """
    known = {branch.ref for branch in branches}
    if any(name == ANYTHING or (name.startswith("refs/") and name not in known) for name in names):
        return branches
    worktrees = [name.rpartition("/")[2] for name in names if not name.startswith("refs/")]
    return [
        branch
        for branch in branches
        if not branch.name
        or branch.ref in names
        or any(name.startswith(branch.worktree.rpartition("/")[2]) for name in worktrees)
    ]
