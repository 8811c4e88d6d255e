"""Looking ahead: which live branches would conflict if they were merged now.

Whenever a branch of a running workflow has moved, it is merged with each other one, in
memory and in a worker process. Only a change of what was foreseen is told; what is foreseen
stands in the workflow's row, so that a restart tells nothing again.
"""

import logging
from itertools import combinations
from typing import TYPE_CHECKING

import msgspec
import pygit2

from actors.git.merge import forecast
from actors.git.refs import HEADS, read_ref
from actors.platform.workers import WorkerDied, WorkerLate
from bus.facts import Fact, MergeForecast
from bus.rows import Forecast, Workflow
from bus.status import TaskStatus
from store.change import Update

if TYPE_CHECKING:
    from actors.merger.actor import Merger

log = logging.getLogger("callboard.forecast")

Pair = tuple[str, str]


class Forecasts:
    """The part of a merger that looks ahead. In the merger's thread."""

    def __init__(self, actor: "Merger") -> None:
        self._actor = actor
        self._judged: dict[Pair, Pair] = {}

    def look(self, row: Workflow) -> None:
        """Judge the pairs of which a branch has moved since the last look."""
        tips = _live_tips(row)
        known: dict[Pair, list[str]] = {
            (f.branches[0], f.branches[1]): f.files for f in row.forecast
        }
        now: dict[Pair, list[str]] = {}
        for pair in combinations(tips, 2):
            at = (tips[pair[0]], tips[pair[1]])
            if self._judged.get(pair) == at:
                files = known.get(pair, [])
            else:
                files = self._judge(row, pair, at, known.get(pair, []))
            if files:
                now[pair] = files
        if now != known:
            self._store(row, known, now)

    def _judge(self, row: Workflow, pair: Pair, at: Pair, before: list[str]) -> list[str]:
        """A pair that cannot be judged stays as it was: a forecast must harm nothing."""
        try:
            found = self._actor.stage.workers.forecasts.call(forecast, row.git_dir, *at)
        except (WorkerDied, pygit2.GitError, KeyError, ValueError) as error:
            log.warning("%s: no forecast for %s: %s", row.address, pair, error)
            if isinstance(error, WorkerLate):
                self._judged[pair] = at  # not again before one of them has moved
            return before
        self._judged[pair] = at
        return [file.path for file in found]

    def _store(
        self, row: Workflow, known: dict[Pair, list[str]], now: dict[Pair, list[str]]
    ) -> None:
        rows = [Forecast(branches=list(pair), files=files) for pair, files in now.items()]
        text = msgspec.json.encode(rows).decode()
        told: list[Fact] = [
            MergeForecast(address=row.address, branches=list(pair), files=now.get(pair, []))
            for pair in {**known, **now}
            if now.get(pair) != known.get(pair)
        ]
        self._actor.stage.commit(
            self._actor, [Update("workflow", row.id, {"forecast": text}), *told]
        )


def _live_tips(row: Workflow) -> dict[str, str]:
    """The branches that hold work, in the order of their tasks."""
    tips: dict[str, str] = {}
    for task in row.tasks:
        tip = read_ref(row.git_dir, HEADS + task.branch) if task.base else None
        if tip is not None and tip != task.base and task.status != TaskStatus.CANCELLED:
            tips[task.branch] = tip
    return tips
