"""Build: merge the branches, in order, on the target's tip.

The merge happens in memory, in a worker process. A conflict is laid out in a scratch worktree.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from actors.git.landing import resolution
from actors.git.merging import merge as merging
from actors.git.reading.graph import descends
from actors.git.reading.identity import of_text
from actors.git.reading.refs import HEADS, read_ref
from actors.git.running.command import GitRefused
from actors.git.running.converting import as_submitted
from actors.git.running.library import opened
from actors.git.trees.reach import Unseen, for_reading
from actors.git.users.repository import is_dirty
from actors.merger.scratch import at_work, bring, scratch
from actors.system.own_worker import OwnWorker
from bus.facts import MergeConflict, MergeRefused, MergeStarted, TaskBased
from bus.kinds import MergeRefusal
from bus.rows import Workflow


class ResolvedByGit(msgspec.Struct, frozen=True):
    """The `git` program merged what libgit2 could not. `commit` is its merge."""

    commit: str


_CARRIED = "callboard/"
"""What the name of a resolution begins with, where it is merged like a branch."""

Built = MergeStarted | TaskBased | MergeConflict | MergeRefused | ResolvedByGit


def build(
    row: Workflow,
    worker: OwnWorker,
    home: Path,
    unseen: Unseen,
    settings: Mapping[str, str] | None,
) -> Built:
    """Merge the branches of a workflow; return what came of it. Changes no ref.

    `unseen` is for our git in the worktree of the merge terminal. `settings` are those of the
    submission.

    Raises `GitLate` or `WorkerLate` if a merge driver or a filter takes too long.
    """
    tip = read_ref(row.git_dir, HEADS + row.target)
    if tip is None:
        return target_missing(row)
    request = _request(row)
    try:
        outcome = worker.call(merging.merge_branches, request)
    except GitRefused as error:
        message = f"git cannot merge; a merge driver may have failed: {error.stderr}"
        return refused(row, MergeRefusal.NOT_MERGED, message)
    match outcome:
        case merging.Conflict() as found:
            return _lay_out(row, worker, home, request, found, unseen, settings)
        case merging.Unrelated(branch=branch):
            return refused(
                row, MergeRefusal.UNRELATED, f"{branch} shares no commit with {row.target}"
            )
        case merging.MergeResult(result=result):
            branches = [task.branch for task in row.to_merge()]
            if row.merge.task:
                return TaskBased(
                    address=row.merge.task,
                    target=row.target,
                    base=tip,
                    commit=result,
                    branches=branches,
                    round=row.merge.round,
                )
            return MergeStarted(
                address=row.address,
                target=row.target,
                base=tip,
                commit=result,
                branches=branches,
            )


def tip_in_conflict(row: Workflow) -> str:
    """Return the commit whose merge is in conflict."""
    name = row.merge.branch
    if name.startswith(_CARRIED):
        return name.removeprefix(_CARRIED)
    return next((task.accepted for task in row.tasks if task.branch == name), "")


def refused(
    row: Workflow, reason: MergeRefusal, message: str, files: list[str] | None = None
) -> MergeRefused:
    """Return the fact that ends a merge without landing."""
    return MergeRefused(address=row.address, reason=reason, message=message, files=files or [])


def target_missing(row: Workflow) -> MergeRefused:
    """Return the refusal for a target branch that was deleted."""
    message = f"there is no branch {row.target!r} any more"
    return refused(row, MergeRefusal.TARGET_MISSING, message)


def _request(row: Workflow) -> merging.MergeRequest:
    """Merge the accepted commit of each branch on the tip of the target.

    If there is a resolution that contains the tip, merge on that. The resolutions in the bases of
    the tasks are merged first, so that their conflicts are not met again.
    """
    tasks = row.to_merge()
    branches = [(task.branch, task.name) for task in tasks]
    tips = {task.branch: task.accepted for task in tasks}
    time = int(datetime.fromisoformat(row.merge.commit_time).timestamp())
    author = of_text(row.author)
    request = merging.plan_merge(
        row.git_dir, row.target, branches, time=time, tips=tips, author=author
    )
    resolved = [task.carried for task in tasks if task.carried]
    carried = row.merge.carried
    if carried and descends(opened(row.git_dir), request.base, carried):
        request = msgspec.structs.replace(request, base=carried)
    elif carried:
        resolved = [carried, *resolved]
    first = [merging.MergeBranch(_CARRIED + oid, oid, "resolved conflicts") for oid in resolved]
    return msgspec.structs.replace(request, branches=(*first, *request.branches))


def _lay_out(
    row: Workflow,
    worker: OwnWorker,
    home: Path,
    request: merging.MergeRequest,
    found: merging.Conflict,
    unseen: Unseen,
    settings: Mapping[str, str] | None,
) -> MergeConflict | ResolvedByGit:
    """Lay the conflict out in a scratch worktree, detached, with git's conflict markers.

    If the merge terminal works already, its worktree is used. If `git` itself finds no conflict,
    its merge is the resolution.
    """
    path = Path(row.merge.worktree)
    stays = at_work(row)
    if stays:
        within = for_reading(row.git_dir, str(path), unseen)
        with as_submitted(row.git_dir, settings, str(path)):
            stays = not is_dirty(str(path), within)
            stays = stays and bring(row.git_dir, path, found.onto, unseen)
    if not stays:
        path = scratch(home, row.id, f"merge-{row.merge.round}-{found.tip[:8]}")
    made = worker.call(
        resolution.materialize,
        row.git_dir,
        str(home),
        str(path),
        onto=found.onto,
        tip=found.tip,
        message=f"Merge {found.branch} into {row.target}",
        author=request.author,
        at_onto=stays,
        unseen=unseen,
        settings=settings,
    )
    if made.resolved is not None and made.resolved != row.merge.carried:
        return ResolvedByGit(made.resolved)
    return MergeConflict(
        address=row.address,
        files=[file.path for file in found.files],
        branch=found.branch,
        against=list(found.with_branches),
        worktree=str(path),
        start=found.onto,
        message=found.said,
    )
