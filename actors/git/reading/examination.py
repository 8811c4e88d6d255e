"""Examine whether a worktree is clean. The answer is clean, dirty or unknown (hazard 55).

`Examination.look` looks once and does not wait:

- `Clean`: nothing differs from HEAD, and no git writes.
- `Dirty`: the same changes were seen twice, and no git wrote between.
- `Unknown`: a git writes, or `git status` cannot run. The caller looks again.

A lock file whose writer is gone does not prevent an answer; the answer names it.

Git runs the filters of the submission only. A file that another filter would convert looks changed;
so while there is such a filter, a worktree with changes is unknown, until a person has accepted the
configuration or put it back.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from actors.git.reading.changes import changed
from actors.git.running.command import GitFailed
from actors.git.running.converting import as_submitted
from actors.git.running.names import read_name, shown
from actors.git.running.places import Within
from actors.git.running.writing import OPERATIONS, Signs, signs, writers

TWICE: Final = 0.25
"""Seconds between the two looks that must see the same changes."""
LEFT: Final = 1.0
"""Seconds after which a lock file that does not change counts as left by a dead process, if no git
process may hold it."""
LEFT_UNSEEN: Final = 10.0
"""The same on a system that does not tell which git processes run."""
PATIENCE: Final = 10.0
"""Seconds after which a git process that changes nothing is ignored: it may have a hook that hangs
or an open editor."""


class Clean(msgspec.Struct, frozen=True):
    """Everything is committed. `left` is the lock file that a dead process left, "" for none."""

    left: str = ""


class Dirty(msgspec.Struct, frozen=True):
    """Something is not committed, or an operation has not ended; `reason` is a sentence."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """There is no answer yet. `failed`: the worktree cannot be read; waiting may not help."""

    reason: str
    failed: bool = False


Verdict = Clean | Dirty | Unknown

_CONFIGURED: Final = (
    "files differ, but a filter that was configured since the plan was submitted is not run until a"
    " person accepts it"
)
_AGAIN: Final = 0.05
"""Seconds between two looks of `examine`."""


def examine(
    worktree: str,
    within: Within | None = None,
    settings: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> Verdict:
    """Look until there is an answer, at most `patience` seconds. Blocks; for a worker process."""
    looks = Examination(worktree, within)
    end = time.monotonic() + patience
    while True:
        found = looks.look(now := time.monotonic(), settings)
        if not isinstance(found, Unknown) or now > end:
            return found
        time.sleep(_AGAIN)  # no event tells that another program has stopped writing


class Examination:
    """One examination of a worktree, which takes several looks. For one thread."""

    def __init__(self, worktree: str, within: Within | None = None) -> None:
        """`within` is what is believed of a worktree that an agent can write."""
        self._worktree = worktree
        self._within = within
        self._signs: Signs | None = None
        self._since = 0.0
        self._changes: list[str] | None = None
        self._changes_since = 0.0

    def look(self, now: float, settings: Mapping[str, str] | None = None) -> Verdict:
        """Look once. `now` is the time of a monotonic clock, in seconds.

        `settings` are those of the submission (`converting.as_submitted`).
        """
        try:
            return self._look(now, settings)
        except (OSError, GitFailed) as error:
            self._changes = None
            return Unknown(f"the worktree cannot be examined: {error}", failed=True)

    def _look(self, now: float, settings: Mapping[str, str] | None) -> Verdict:
        within = self._within
        admin = _admin(self._worktree) if within is None else str(within.admin(self._worktree))
        found = signs(admin)
        if found != self._signs:
            self._signs, self._since, self._changes = found, now, None
        still = now - self._since
        busy = writers(self._worktree, admin)
        if busy and still < PATIENCE:
            return Unknown(f"git is at work in the worktree (process {busy[0]})")
        if found.locks and not busy and still < (LEFT_UNSEEN if busy is None else LEFT):
            return Unknown(f"git is writing: {found.locks[0][0]} is there")
        changes, idle = self._changes_now(settings)
        if signs(admin) != found:
            return Unknown("git began to write in the worktree")
        if changes and idle:
            names = ", ".join(shown(name) for name in sorted(idle))
            return Unknown(f"{_CONFIGURED}: {names}", failed=True)
        left = found.locks[0][0] if found.locks and not busy else ""
        if not changes and not found.operations:
            return Clean(left)
        return self._not_clean(found, changes, bool(busy), left, now)

    def _changes_now(self, settings: Mapping[str, str] | None) -> tuple[list[str], frozenset[str]]:
        """Return the changed files, and the filters that are not run."""
        if self._within is None:
            return list(changed(self._worktree)), frozenset()
        with as_submitted(self._within.git_dir, settings, self._worktree) as idle:
            return list(changed(self._worktree, within=self._within)), idle

    def _not_clean(
        self, found: Signs, changes: list[str], busy: bool, left: str, now: float
    ) -> Verdict:
        reason = _reason(found, changes, left)
        if changes != self._changes:
            self._changes, self._changes_since = changes, now
        if busy or now - self._changes_since < TWICE:
            return Unknown(f"it is looked at again, for {reason}")
        return Dirty(reason)


def _reason(found: Signs, changes: list[str], left: str) -> str:
    if changes:
        names = ", ".join(shown(name) for name in changes[:5])
        reason = f"the worktree has changes that are not committed: {names}"
    else:
        name = OPERATIONS[Path(found.operations[0][0]).name]
        reason = f"a {name} is not ended in the worktree: continue or abort it"
    return f"{reason} ({left} was left by a process that is gone: remove it)" if left else reason


def _admin(worktree: str) -> str:
    """Return the worktree's own git directory. Read it at each look: it may have been repaired."""
    path = Path(worktree, ".git")
    if path.is_dir():
        return str(path)
    text = read_name(path).removeprefix("gitdir: ")
    return str(Path(worktree, text))
