"""Resolution and repair: check what a merge terminal or a person made, and lay a red tree out."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from actors.git.landing import resolution
from actors.git.running.converting import as_submitted
from actors.git.trees import worktrees
from actors.git.trees.reach import Unseen
from actors.merger.build import tip_in_conflict
from actors.merger.scratch import at_work, bring, scratch
from actors.system.own_worker import OwnWorker
from bus.facts import ResolutionJudged
from bus.rows import Workflow
from bus.status import MergeStage


class LaidOut(msgspec.Struct, frozen=True):
    """The red tree `start` is checked out in `worktree`."""

    worktree: str
    start: str


def check(
    row: Workflow, worker: OwnWorker, unseen: Unseen, settings: Mapping[str, str] | None
) -> ResolutionJudged:
    """Check the commit of the merge terminal, or what a person left in the worktree.

    A resolution must lose nothing of either side. A mended red tree descends from it already:
    the watcher accepts no other commit. `settings` are those of the submission.
    """
    merge = row.merge
    tip = tip_in_conflict(row)
    commit = merge.carried
    problems: tuple[resolution.Problem, ...] = ()
    if merge.stage == MergeStage.BY_HAND:
        checked = worker.call(
            resolution.check_worktree,
            *(row.git_dir, merge.worktree),
            onto=merge.start,
            tip=tip,
            unseen=unseen,
            settings=settings,
        )
        commit, problems = checked.head, checked.problems
    elif merge.files:
        problems = worker.call(
            resolution.check_resolution, row.git_dir, onto=merge.start, tip=tip, head=commit
        )
    texts = [problem.text for problem in problems]
    if missing := {problem.path: None for problem in problems if problem.kind == "missing"}:
        lines = ", ".join(f"`{resolution.WAIVER} {path}: REASON`" for path in missing)
        texts.append(f"to leave such a change out on purpose, commit with a line for it: {lines}")
    return ResolutionJudged(address=row.address, commit=commit, problems=texts)


def lay_out(
    row: Workflow, home: Path, unseen: Unseen, settings: Mapping[str, str] | None
) -> LaidOut:
    """Check the red tree out in a scratch worktree, for the terminal that is to mend it.

    `settings` are those of the submission.
    """
    with as_submitted(row.git_dir, settings, row.merge.worktree if at_work(row) else ""):
        return LaidOut(str(_laid_out(row, home, unseen)), row.merge.commit)


def _laid_out(row: Workflow, home: Path, unseen: Unseen) -> Path:
    merge = row.merge
    path = Path(merge.worktree)
    if at_work(row):
        bring(row.git_dir, path, merge.commit, unseen)
        return path
    path = scratch(home, row.id, f"merge-{merge.round}")
    mark = f"repair {merge.commit}\n"
    name = worktrees.registered(row.git_dir, str(path))
    if name is None or worktrees.mark_of(row.git_dir, name) != mark:
        worktrees.make(row.git_dir, str(path), merge.commit, mark=mark, detach=True)
    return path
