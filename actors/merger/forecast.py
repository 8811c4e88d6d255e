"""Forecast: which live branches would conflict if they were merged now.

When a branch of a running workflow has moved, it is merged with each other branch, in memory and
in a worker process. What is foreseen stands in the workflow's row, so that only a change of it is
told, also after a restart.
"""

import logging
from collections.abc import Sequence
from itertools import combinations

import msgspec
import pygit2

from actors.git.merge import forecast
from actors.git.refs import HEADS, read_ref
from actors.platform.workers import Worker, WorkerDied, WorkerLate
from bus.facts import MergeForecast
from bus.rows import Forecast, Workflow
from bus.status import TaskStatus

log = logging.getLogger("callboard.forecast")

Pair = tuple[str, str]
_Foreseen = dict[Pair, list[str]]


class Changed(msgspec.Struct, frozen=True):
    """What is foreseen now, and a fact for each pair of branches for which that is new."""

    foreseen: list[Forecast]
    facts: Sequence[MergeForecast]


class Forecasts:
    """Remembers the tips that were compared. Belongs to the merger's thread."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._compared: dict[Pair, Pair] = {}

    def look(self, row: Workflow) -> Changed | None:
        """Compare the pairs of branches of which one has moved since the last look.

        Return the change, if there is one.
        """
        tips = _live_tips(row)
        known: _Foreseen = {(f.branches[0], f.branches[1]): f.files for f in row.forecast}
        now: _Foreseen = {}
        for pair in combinations(tips, 2):
            at = (tips[pair[0]], tips[pair[1]])
            if self._compared.get(pair) == at:
                files = known.get(pair, [])
            else:
                files = self._compare(row, pair, at, known.get(pair, []))
            if files:
                now[pair] = files
        return _change(row, known, now) if now != known else None

    def _compare(self, row: Workflow, pair: Pair, at: Pair, before: list[str]) -> list[str]:
        """Return the files in conflict; `before` if the pair cannot be compared."""
        try:
            found = self._worker.call(forecast, row.git_dir, *at)
        except (WorkerDied, pygit2.GitError, KeyError, ValueError) as error:
            log.warning("%s: no forecast for %s: %s", row.address, pair, error)
            if isinstance(error, WorkerLate):
                self._compared[pair] = at  # not again before one of them has moved
            return before
        self._compared[pair] = at
        return [file.path for file in found]


def _change(row: Workflow, known: _Foreseen, now: _Foreseen) -> Changed:
    facts = [
        MergeForecast(address=row.address, branches=list(pair), files=now.get(pair, []))
        for pair in {**known, **now}
        if now.get(pair) != known.get(pair)
    ]
    return Changed([Forecast(branches=list(pair), files=f) for pair, f in now.items()], facts)


def _live_tips(row: Workflow) -> dict[str, str]:
    """Return the tips of the branches that hold work, in the order of their tasks."""
    tips: dict[str, str] = {}
    for task in row.tasks:
        tip = read_ref(row.git_dir, HEADS + task.branch) if task.base else None
        if tip is not None and tip != task.base and task.status != TaskStatus.CANCELLED:
            tips[task.branch] = tip
    return tips
