"""Landing: the tested commit becomes the target, and the checkouts of the target follow.

Once the target has moved it has landed, whatever a filter of the repository does then: a
checkout that cannot be brought along is left to a person, and nothing is tried without end.
"""

from typing import TYPE_CHECKING

from actors.git import land as landing
from actors.git.command import GitFailed, GitLate
from actors.platform.workers import WorkerLate
from bus.facts import MergeBehind, MergeLanded, TargetMoved
from bus.messages import Look
from bus.rows import Workflow
from bus.status import WorkflowStatus
from store.change import Update
from store.errors import LostRace

if TYPE_CHECKING:
    from actors.merger.actor import Merger


class Landing:
    """The part of a merger that lands. In the merger's thread."""

    def __init__(self, actor: "Merger") -> None:
        self._actor = actor

    def begin(self, row: Workflow) -> None:
        """From here on nobody can stop or abort it: the target may have moved already."""
        actor = self._actor
        expect = {
            "merge_waits": "",
            "merge_round": row.merge.round,
            "merge_commit": row.merge.commit,
            "status": WorkflowStatus.MERGING,
        }
        try:
            actor.stage.commit(
                actor, [Update("workflow", row.id, {"merge_waits": "landing"}, expect)]
            )
        except LostRace:
            actor.stage.tell(actor.address, Look())
            return
        self.go_on(actor.row())

    def go_on(self, row: Workflow) -> None:
        """Land, or end a landing that a crash has cut. Raises `GitFailed` or `WorkerLate` where
        it cannot, and the target has not moved."""
        actor, merge = self._actor, row.merge
        try:
            outcome = actor.worker.call(
                landing.land,
                row.git_dir,
                row.target,
                old=merge.base,
                new=merge.commit,
                message=f"callboard: land {row.id}",
            )
        except (GitFailed, WorkerLate) as error:
            found = actor.worker.call(landing.take_stock, row.git_dir, row.target, merge.commit)
            if not found.moved:
                raise
            if found.behind:
                self._behind(row, found.behind, error)
                return
            outcome = landing.Landed(merge.commit, (), ())  # its last step came through
        self._tell(row, outcome)

    def _behind(self, row: Workflow, checkouts: tuple[str, ...], error: Exception) -> None:
        late = isinstance(error, GitLate | WorkerLate)
        why = f"a filter may be hanging: {error}" if late else str(error)
        self._say_behind(row, checkouts, why)

    def _say_behind(self, row: Workflow, checkouts: tuple[str, ...], message: str) -> None:
        fact = MergeBehind(
            address=row.address,
            target=row.target,
            commit=row.merge.commit,
            checkouts=list(checkouts),
            message=message,
        )
        self._actor.tell(row, fact)

    def _tell(self, row: Workflow, outcome: landing.Landing) -> None:
        actor, merge = self._actor, row.merge
        match outcome:
            case landing.Landed(oid=oid):
                fact = MergeLanded(
                    address=row.address,
                    target=row.target,
                    old=merge.base,
                    new=oid,
                    tested=actor.stage.reader.plan(row.id).test is not None,
                )
                actor.tell(row, fact)
            case landing.Behind(checkouts=behind, lock=lock):
                self._say_behind(row, behind, f"another git holds {lock}")
            case landing.TargetMoved(actual=None):
                actor.refuse(row, "target_missing", f"there is no branch {row.target!r} any more")
            case landing.TargetMoved(actual=actual):
                moved = TargetMoved(
                    address=row.address, target=row.target, old=merge.base, new=actual or ""
                )
                actor.tell(row, moved)
            case landing.FilesInTheWay(checkout=checkout, files=files):
                actor.refuse(
                    row,
                    "files_in_the_way",
                    f"{row.target} is checked out in {checkout} with changed files in the way",
                    list(files),
                )
            case landing.TargetLocked(lock=lock):
                actor.refuse(row, "target_locked", f"another git holds {lock}")
            case landing.RefRefused(output=output):
                actor.refuse(row, "ref_refused", f"git refused to move {row.target}: {output}")
            case landing.NotForward(old=old, new=new):
                actor.refuse(row, "not_forward", f"{new[:12]} does not descend from {old[:12]}")
