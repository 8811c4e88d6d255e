"""What the watch reported and the watcher has not looked at yet."""

import threading
from pathlib import Path

from actors.git.directories import ANYTHING
from actors.watcher.commits import Branch


class Heard:
    """The names that may have changed. The event loop adds, the watcher's thread takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._wanted: frozenset[str] | None = None

    def add(self, names: set[str]) -> bool:
        """Note the names if one of them is wanted; return whether the watcher must be told."""
        with self._lock:
            if not self._concerns(names):
                return False
            first = not self._names
            self._names |= names
            return first

    def _concerns(self, names: set[str]) -> bool:
        wanted = self._wanted
        if wanted is None or not wanted.isdisjoint(names):
            return True
        return any(name == ANYTHING or not name.startswith("refs/") for name in names)

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
        or any(name.startswith(Path(branch.worktree).name) for name in worktrees)
    ]
