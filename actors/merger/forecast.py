"""Forecast: which live branches would conflict if they were merged now.

When a branch of a running workflow has moved, it is merged with each other branch that changes a
file which it changes too, in memory and in a worker process. What is foreseen stands in the
workflow's row, so that only a change of it is told, also after a restart.

A plan of five hundred tasks has 125,000 pairs. So a look at a branch that has moved costs one walk
of its commits, one comparison of names for each other branch, and a merge only where both touch the
same file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from actors.git.merging.merge import forecast
from actors.git.reading.touched import Touched, common_start, may_conflict, touched_since
from actors.git.running.command import GitFailed
from actors.git.running.library import pygit2
from actors.platform.workers import Worker, WorkerDied, WorkerLate
from bus.facts import MergeForecast
from bus.rows import Forecast, Workflow
from bus.status import TaskStatus

log = logging.getLogger("callboard.forecast")

Pair = tuple[str, str]
T = TypeVar("T")
_Foreseen = dict[Pair, list[str]]


class Changed(msgspec.Struct, frozen=True):
    """What is foreseen now, and a fact for each pair of branches for which that is new."""

    foreseen: list[Forecast]
    facts: Sequence[MergeForecast]


class Forecasts:
    """Remembers the tips that were compared. Belongs to the merger's thread."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._tips: dict[str, str] = {}
        self._bases: frozenset[str] = frozenset()
        self._start: str | None = None
        self._touched: dict[str, Touched | None] = {}

    def look(self, row: Workflow) -> Changed | None:
        """Compare the pairs of branches of which one has moved since the last look.

        Return the change, if there is one.
        """
        tips = _live_tips(row)
        moved = {branch for branch, tip in tips.items() if self._tips.get(branch) != tip}
        if not moved and tips.keys() == self._tips.keys():
            return None
        known: _Foreseen = {(f.branches[0], f.branches[1]): f.files for f in row.forecast}
        now: _Foreseen = {
            pair: files
            for pair, files in known.items()
            if moved.isdisjoint(pair) and tips.keys() >= set(pair)
        }
        self._tips, self._touched = tips, {b: t for b, t in self._touched.items() if b in tips}
        self._note_touched(row, moved)
        for pair in self._pairs(tips, moved):
            files = self._compare(row, pair, (tips[pair[0]], tips[pair[1]]), known.get(pair, []))
            if files:
                now[pair] = files
        return _change(row, known, now) if now != known else None

    def _note_touched(self, row: Workflow, moved: set[str]) -> None:
        """Read which files the branches that have moved touch.

        All branches are read again if they have another common start than before.
        """
        bases = frozenset(task.base for task in row.tasks if task.branch in self._tips)
        again = moved
        if bases != self._bases:
            start = self._ask(row, common_start, row.git_dir, sorted(bases))
            if start != self._start:
                again = set(self._tips)
            self._bases, self._start = bases, start
        for branch in again:
            self._touched[branch] = (
                None
                if self._start is None
                else self._ask(row, touched_since, row.git_dir, self._start, self._tips[branch])
            )

    def _pairs(self, tips: dict[str, str], moved: set[str]) -> list[Pair]:
        """Return the pairs to compare, in the order of their tasks."""
        order = {branch: number for number, branch in enumerate(tips)}
        pairs = {
            (one, other) if order[one] < order[other] else (other, one)
            for one in moved
            for other in tips
            if other != one and may_conflict(self._touched[one], self._touched[other])
        }
        return sorted(pairs, key=lambda pair: (order[pair[0]], order[pair[1]]))

    def _ask(self, row: Workflow, function: Callable[..., T | None], *args: Any) -> T | None:
        """Call a function in the worker process; None if it cannot answer."""
        try:
            return self._worker.call(function, *args)
        except _errors() as error:
            log.warning("%s: %s", row.address, error)
            return None

    def _compare(self, row: Workflow, pair: Pair, at: Pair, before: list[str]) -> list[str]:
        """Return the files in conflict; `before` if the pair cannot be compared.

        It is compared again when one of them has moved; after another error than lateness, at the
        next look.
        """
        try:
            found = self._worker.call(forecast, row.git_dir, *at)
        except _errors() as error:
            log.warning("%s: no forecast for %s: %s", row.address, pair, error)
            if not isinstance(error, WorkerLate):
                self._tips.pop(pair[0], None)
            return before
        return [file.path for file in found]


def _errors() -> tuple[type[Exception], ...]:
    """Return the errors of a worker that cannot answer: it ended, git failed, an object is missing.

    A tuple made at the import would load libgit2 with the runtime.
    """
    return WorkerDied, GitFailed, pygit2.GitError, OSError, KeyError, ValueError


def _change(row: Workflow, known: _Foreseen, now: _Foreseen) -> Changed:
    facts = [
        MergeForecast(address=row.address, branches=list(pair), files=now.get(pair, []))
        for pair in {**known, **now}
        if now.get(pair) != known.get(pair)
    ]
    return Changed([Forecast(branches=list(pair), files=f) for pair, f in now.items()], facts)


def _live_tips(row: Workflow) -> dict[str, str]:
    """Return the tips of the branches that hold work, in the order of their tasks."""
    return {
        task.branch: task.tip
        for task in row.tasks
        if task.tip not in ("", task.base) and task.status != TaskStatus.CANCELLED
    }
