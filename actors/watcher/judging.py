"""Completions that wait for an answer: is everything committed, and is git done?

A completion is told only when the worktree was found clean or dirty. Until then it is looked at
again: soon at first, then once a second, then every five seconds.
"""

import time

from actors.git.examination import Clean, Dirty, Examination, Unknown
from actors.watcher.commits import Branch

FIRST = 0.02
"""Seconds until the second look; each further wait is twice as long, up to `LATER`."""
LATER = 1.0
SELDOM = 5.0
"""Between two looks at what has waited for longer than `LONG`."""
LONG = 30.0
TELL = 2.0
"""Seconds after which a person is told what is waited for."""
BROKEN = 5.0
"""Seconds that a branch's file may be no ref (a program writes it in place) before it counts."""

BESIDE = 1.0
"""Seconds that a completion must stand beside its branch before it is rejected: the next command of
the same line may bring it there."""


class NotYet(Exception):
    """There is no answer yet. `failed`: git cannot examine the worktree."""

    def __init__(self, reason: str, failed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failed = failed


class _Open:
    """One question without an answer."""

    def __init__(self, address: str, worktree: str, now: float) -> None:
        self.address = address
        self.examination = Examination(worktree)
        self.since = now
        self.looks = 0
        self.is_over = False
        self.told: set[bool] = set()

    def delay(self, now: float) -> float:
        if now - self.since > LONG:
            return SELDOM
        return min(FIRST * 2.0**self.looks, LATER)


class Judging:
    """The questions of one watcher. For its thread."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Open] = {}
        self._asked: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """A scan begins. Questions that it does not ask again are forgotten at its end."""
        self._asked = set()

    def judge(self, branch: Branch, commit: str) -> Clean | Dirty:
        """Examine the worktree of `branch`, where `commit` is a completion. Raises `NotYet`."""
        now = time.monotonic()
        question = self._question(branch, commit, now)
        verdict = question.examination.look(now)
        if isinstance(verdict, Clean | Dirty):
            del self._open[branch.ref, commit]
            return verdict
        question.looks += 1
        raise NotYet(verdict.reason, verdict.failed)

    def beside(self, branch: Branch, commit: str) -> None:
        """A completion stands beside its branch.

        Raises `NotYet` until it has for a while, and git does nothing there any more.
        """
        now = time.monotonic()
        question = self._question(branch, commit, now)
        verdict = question.examination.look(now)
        question.looks += 1
        if isinstance(verdict, Unknown):
            raise NotYet(verdict.reason, verdict.failed)
        if now - question.since < BESIDE:
            raise NotYet("it stands beside its branch")
        del self._open[branch.ref, commit]

    def broken(self, branch: Branch) -> None:
        """The branch's file is no ref. Raises `NotYet` for a while."""
        now = time.monotonic()
        question = self._question(branch, "", now)
        question.looks += 1
        if now - question.since < BROKEN:
            raise NotYet(f"{branch.ref} is being written, or broken")
        question.is_over = True

    def is_due(self, branch: Branch, commit: str, failed: bool) -> bool:
        """Whether it is time to tell what is waited for; true once for each kind of reason."""
        question = self._open[branch.ref, commit]
        late = time.monotonic() - question.since >= TELL
        if not late or failed in question.told:
            return False
        question.told.add(failed)
        return True

    def waits_for(self, address: str) -> bool:
        """Whether a completion by the terminal at this address has no answer yet."""
        return any(address.startswith(each.address) for each in self._waiting())

    def end(self) -> float | None:
        """The scan is over. Return the seconds until the next look; None when nothing waits."""
        self._open = {key: each for key, each in self._open.items() if key in self._asked}
        now = time.monotonic()
        return min((each.delay(now) for each in self._waiting()), default=None)

    def _waiting(self) -> list[_Open]:
        return [each for each in self._open.values() if not each.is_over]

    def _question(self, branch: Branch, commit: str, now: float) -> _Open:
        key = branch.ref, commit
        self._asked.add(key)
        if key not in self._open:
            self._open[key] = _Open(branch.address, branch.worktree, now)
        return self._open[key]
