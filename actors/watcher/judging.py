"""Completions that cannot be judged yet, because git still works in the worktree.

A completion becomes a fact when its worktree was found clean or dirty. Until then the watcher
examines the worktree again: soon at first, then once a second, then every five seconds.
"""

import time
from functools import partial

from actors.git.reading.examination import Clean, Dirty, Examination, Unknown, Verdict
from actors.git.running.places import Within
from actors.system.stage import Stage
from actors.watcher.believed import believed
from actors.watcher.commits import Branch
from actors.watcher.places import was_replaced

FIRST = 0.02
"""Seconds until the second examination. Each further wait is twice as long, up to `LATER`."""
LATER = 1.0
SELDOM = 5.0
"""Seconds between two examinations after a completion has waited for `LONG` seconds."""
LONG = 30.0
TELL = 2.0
"""Seconds after which a fact tells why a completion is not judged."""
BROKEN = 5.0
"""Seconds for which a branch's file may be no ref, because a program writes it in place."""

BESIDE = 1.0
"""Seconds before a completion on another branch is rejected.

The next command of a script may move the task's branch to it.
"""


class NotYet(Exception):
    """A completion cannot be judged yet. `failed` says that git cannot examine the worktree."""

    def __init__(self, reason: str, failed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failed = failed


class _Open:
    """One completion that is not judged yet."""

    def __init__(self, branch: Branch, within: Within, now: float) -> None:
        self.address = branch.address
        self.examination = Examination(branch.worktree, within)
        self.since = now
        self.looks = 0
        self.is_over = False
        self.told: set[bool] = set()

    def delay(self, now: float) -> float:
        if now - self.since > LONG:
            return SELDOM
        return min(FIRST * 2.0**self.looks, LATER)


class Judging:
    """The completions of one watcher that are not judged yet. Only its thread may use it."""

    def __init__(self, stage: Stage, workflow: str) -> None:
        self._within = partial(believed, stage, workflow)
        self._settings = partial(stage.reader.git_settings, workflow)
        self._open: dict[tuple[str, str], _Open] = {}
        self._asked: set[tuple[str, str]] = set()
        self._scanned: set[str] = set()

    def begin(self, branches: list[Branch]) -> None:
        """Begin a scan of these branches.

        `end` forgets the completions on them that the scan did not ask for.
        """
        self._asked = set()
        self._scanned = {branch.ref for branch in branches}

    def is_open(self, branch: Branch) -> bool:
        """Whether a completion on the branch is not judged yet."""
        return any(ref == branch.ref for ref, _ in self._open)

    def judge(self, branch: Branch, commit: str, git_dir: str) -> Clean | Dirty:
        """Examine the worktree of `branch`, where `commit` is a completion.

        Raise `NotYet`, also if the branch has left the commit meanwhile: the next scan sees what
        took its place.
        """
        now = time.monotonic()
        verdict = self._look(self._question(branch, commit, now), now)
        if isinstance(verdict, Clean | Dirty):
            if branch.name and was_replaced(git_dir, branch.ref, commit):
                raise NotYet("the branch has gone on without it")
            del self._open[branch.ref, commit]
            return verdict
        raise NotYet(verdict.reason, verdict.failed)

    def beside(self, branch: Branch, commit: str) -> None:
        """Judge a completion on another branch. Return if it is to be rejected.

        Raise `NotYet` for `BESIDE` seconds, and while git works in the worktree.
        """
        now = time.monotonic()
        question = self._question(branch, commit, now)
        verdict = self._look(question, now)
        if isinstance(verdict, Unknown):
            raise NotYet(verdict.reason, verdict.failed)
        if now - question.since < BESIDE:
            raise NotYet("it was made on another branch")
        del self._open[branch.ref, commit]

    def broken(self, branch: Branch) -> None:
        """Handle a branch whose file is no ref. Raise `NotYet` for `BROKEN` seconds."""
        now = time.monotonic()
        question = self._question(branch, "", now)
        question.looks += 1
        if now - question.since < BROKEN:
            raise NotYet(f"{branch.ref} is being written, or broken")
        question.is_over = True

    def is_due(self, branch: Branch, commit: str, failed: bool) -> bool:
        """Whether to store why the completion is not judged: once for each value of `failed`."""
        question = self._open[branch.ref, commit]
        late = time.monotonic() - question.since >= TELL
        if not late or failed in question.told:
            return False
        question.told.add(failed)
        return True

    def waits_for(self, address: str) -> bool:
        """Whether a completion by the terminal at this address is not judged yet."""
        return any(address.startswith(each.address) for each in self._waiting())

    def end(self) -> float | None:
        """End the scan. Return the seconds until the next one, or None if none is needed."""
        self._open = {
            key: each
            for key, each in self._open.items()
            if key in self._asked or key[0] not in self._scanned
        }
        now = time.monotonic()
        return min((each.delay(now) for each in self._waiting()), default=None)

    def _look(self, question: _Open, now: float) -> Verdict:
        question.looks += 1
        return question.examination.look(now, self._settings())

    def _waiting(self) -> list[_Open]:
        return [each for each in self._open.values() if not each.is_over]

    def _question(self, branch: Branch, commit: str, now: float) -> _Open:
        key = branch.ref, commit
        self._asked.add(key)
        if key not in self._open:
            self._open[key] = _Open(branch, self._within(branch), now)
        return self._open[key]
