"""Land: the tested commit becomes the target, and the checkouts of the target follow.

Once the target has moved, the merge has landed. A checkout that cannot follow (a filter fails or
hangs) is then left to a person; it is not tried again without end.
"""

from collections.abc import Sequence

import msgspec

from actors.git.landing import land as landing
from actors.git.reading.identity import of_text
from actors.git.running.command import GitLate
from actors.merger.build import refused, target_missing
from actors.platform.workers import WorkerLate
from actors.system.own_worker import OwnWorker
from bus.facts import MergeBehind, MergeLanded, MergeRefused, TargetMoved
from bus.kinds import MergeRefusal
from bus.rows import Workflow

Landed = MergeLanded | MergeBehind | TargetMoved | MergeRefused


class Submitted(msgspec.Struct, frozen=True):
    """The user's git as it was at the submission: its settings, and a directory of its hooks.

    The settings of a workflow of an older version are None.
    """

    settings: dict[str, str] | None = None
    hooks: str = ""


def land(row: Workflow, worker: OwnWorker, *, has_test: bool, own: Submitted) -> Landed:
    """Land, or end a landing that a crash has cut short; return what came of it.

    Raises what went wrong if the target has not moved.
    """
    try:
        return _fact(row, _attempt(row, worker, own), has_test)
    except Exception as error:  # whatever it is: once the target has moved it has landed
        try:
            stock = (row.git_dir, row.target, row.merge.commit, row.repo)
            found = worker.call(landing.take_stock, *stock)
        except Exception as unknown:
            if not landing.has_moved(row.git_dir, row.target, row.merge.commit):
                raise error from unknown
            return _behind(row, (), f"{error}; its checkouts cannot be examined: {unknown}")
        if not found.moved:
            raise
        if found.behind:
            late = isinstance(error, GitLate | WorkerLate)
            why = f"a filter may be hanging: {error}" if late else str(error)
            return _behind(row, found.behind, why)
    return _last_step(row, worker, has_test=has_test, own=own)


def _last_step(row: Workflow, worker: OwnWorker, *, has_test: bool, own: Submitted) -> Landed:
    """Repeat a landing of which nothing was left to do but to sync and to say so."""
    try:
        return _fact(row, _attempt(row, worker, own), has_test)
    except Exception as error:  # noqa: BLE001 - the target has moved
        return _behind(row, (), str(error))


def _attempt(row: Workflow, worker: OwnWorker, own: Submitted) -> landing.Landing:
    return worker.call(
        landing.land,
        row.git_dir,
        row.target,
        old=row.merge.base,
        new=row.merge.commit,
        message=f"callboard: land {row.id}",
        author=of_text(row.author),
        repo=row.repo,
        hooks=own.hooks,
        settings=own.settings,
    )


def _behind(row: Workflow, checkouts: Sequence[str], message: str) -> MergeBehind:
    return MergeBehind(
        address=row.address,
        target=row.target,
        commit=row.merge.commit,
        checkouts=list(checkouts),
        message=message,
    )


def _fact(row: Workflow, outcome: landing.Landing, has_test: bool) -> Landed:
    merge = row.merge
    match outcome:
        case landing.Landed(oid=oid):
            return MergeLanded(
                address=row.address, target=row.target, old=merge.base, new=oid, tested=has_test
            )
        case landing.Behind(checkouts=behind, lock=lock):
            return _behind(row, behind, f"another git holds {lock}")
        case landing.TargetMoved(actual=actual):
            if actual is None:
                return target_missing(row)
            return TargetMoved(address=row.address, target=row.target, old=merge.base, new=actual)
        case landing.FilesInTheWay(checkout=checkout, files=files):
            message = f"{row.target} is checked out in {checkout} with changed files in the way"
            return refused(row, MergeRefusal.FILES_IN_THE_WAY, message, list(files))
        case landing.TargetLocked(lock=lock):
            return refused(row, MergeRefusal.TARGET_LOCKED, f"another git holds {lock}")
        case landing.RefRefused(output=output):
            message = f"git refused to move {row.target}: {output}"
            return refused(row, MergeRefusal.REF_REFUSED, message)
        case landing.Damaged(what=what):
            message = f"the repository is damaged: {what}"
            return refused(row, MergeRefusal.DAMAGED, message)
        case landing.NotForward(old=old, new=new):
            message = f"{new[:12]} does not descend from {old[:12]}"
            return refused(row, MergeRefusal.NOT_FORWARD, message)
