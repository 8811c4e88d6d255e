"""Is a worktree clean? Three answers: clean, dirty, and unknown.

`Examination.look` takes one look and waits for nothing. It answers `Unknown` while git writes, and
where `git status` cannot run; the caller looks again. A worktree is clean when nothing differs
from HEAD and nobody writes; it is dirty when the same changes were seen twice and nobody wrote in
between. A lock file whose writer is gone stops neither answer, and is named in it.
"""

import time
from pathlib import Path
from typing import Final

import msgspec

from actors.git.changes import changed
from actors.git.command import GitFailed
from actors.git.names import read_name, shown
from actors.git.writing import OPERATIONS, Signs, signs, writers

TWICE: Final = 0.25
"""Seconds between the two looks at the same changes."""
LEFT: Final = 1.0
"""Seconds after which a lock file that does not change, and that no git process may have made, was
left by a process that is gone."""
LEFT_UNSEEN: Final = 10.0
"""The same where the system does not tell which processes there are."""
PATIENCE: Final = 10.0
"""Seconds that a git process may stay in a clean worktree and change nothing (a hook that hangs,
an editor that stands open) until the worktree counts as clean."""


class Clean(msgspec.Struct, frozen=True):
    """All is committed. `left` names the lock file that a dead process left, "" for none."""

    left: str = ""


class Dirty(msgspec.Struct, frozen=True):
    """Something is not committed, or an operation is not ended; `reason` is a sentence."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """No answer yet. `failed`: git could not examine the worktree, and waiting may not help."""

    reason: str
    failed: bool = False


Verdict = Clean | Dirty | Unknown

_AGAIN: Final = 0.05
"""Seconds between two looks of `examine`."""


def examine(worktree: str, patience: float = PATIENCE) -> Verdict:
    """Look until there is an answer, for so many seconds. Blocks: for a worker process."""
    looks = Examination(worktree)
    end = time.monotonic() + patience
    while isinstance(found := looks.look(time.monotonic()), Unknown) and time.monotonic() < end:
        time.sleep(_AGAIN)  # the end of another program's writing tells nobody
    return found


class Examination:
    """The looks at one worktree until there is an answer. For one thread."""

    def __init__(self, worktree: str) -> None:
        self._worktree = worktree
        self._signs: Signs | None = None
        self._since = 0.0
        self._changes: list[str] | None = None
        self._changes_since = 0.0

    def look(self, now: float) -> Verdict:
        """Look once. `now` is on a clock that only goes forward, in seconds."""
        try:
            return self._look(now)
        except (OSError, GitFailed) as error:
            self._changes = None
            return Unknown(f"the worktree cannot be examined: {error}", failed=True)

    def _look(self, now: float) -> Verdict:
        admin = _admin(self._worktree)
        found = signs(admin)
        if found != self._signs:
            self._signs, self._since, self._changes = found, now, None
        still = now - self._since
        busy = writers(self._worktree, admin)
        if busy and still < PATIENCE:
            return Unknown(f"git is at work in the worktree (process {busy[0]})")
        if found.locks and not busy and still < (LEFT_UNSEEN if busy is None else LEFT):
            return Unknown(f"git is writing: {found.locks[0][0]} is there")
        changes = list(changed(self._worktree))
        if signs(admin) != found:
            return Unknown("git began to write in the worktree")
        left = found.locks[0][0] if found.locks and not busy else ""
        if not changes and not found.operations:
            return Clean(left)
        return self._not_clean(found, changes, bool(busy), left, now)

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
    """The worktree's own git directory. Read at each look: it may have been mended."""
    path = Path(worktree, ".git")
    if path.is_dir():
        return str(path)
    text = read_name(path).removeprefix("gitdir: ")
    return str(Path(worktree, text))
