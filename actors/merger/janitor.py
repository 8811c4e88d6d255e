"""The janitor: it removes what workflows that are over left, when a client asks for it.

It is an actor of its own, so that the gateway does not wait for the worktrees of a large repository
to be removed.
"""

from actors.merger.clearing import Clearing, clear
from actors.supervision.actor import handles
from actors.system.replies import refusal
from actors.system.stage import CompanyActor
from bus.action import Action, Do
from bus.errors import illegal, unknown
from bus.facts import WorkflowCleaned, WorkflowForgotten
from bus.messages import ClearAsk
from bus.reasons import Reason
from bus.results import Cleaned
from bus.rows import Workflow
from bus.status import FINAL_WORKFLOW, WorkflowStatus
from store.change import Forget, Insert

CLEAR_SECONDS = 300.0
"""The time limit for one workflow. What was removed until then stays removed."""
_NAMED = 50
"""How many things a fact names."""


class Janitor(CompanyActor):
    """Clears one workflow after another, each in a worker process of its own."""

    @handles(ClearAsk)
    def clear(self, message: ClearAsk) -> None:
        """Clear a workflow, forget it if that was asked, and answer the client."""
        what = f"the cleaning of {message.workflow}/"
        self.stage.replies.answer(message.client, message.id, what, lambda: self._clear(message))

    def _clear(self, message: ClearAsk) -> Cleaned:
        row = self._row(message.workflow)
        asked = Clearing(
            row,
            str(self.stage.paths.home),
            self._spared(row),
            self.stage.reader.git_settings(row.id),
            dry_run=message.dry_run,
            keep_outputs=message.keep_outputs,
            unseen=self.stage.paths.unseen(self.stage.reader.plan(row.id).has_fence),
        )
        worker = self.stage.workers.hire("cleaning", CLEAR_SECONDS)
        try:
            cleaned = worker.call(clear, asked)
        finally:
            self.stage.workers.dismiss(worker)
        if not message.dry_run and cleaned.removed:
            self._tell(row, message, cleaned)
        if message.forget:
            self._forget(row, message, cleaned)
        return cleaned

    def _row(self, id: str) -> Workflow:
        """Return the row of a workflow that is over and whose programs are gone."""
        row = self.stage.reader.workflow(id)
        if row is None:
            raise unknown("workflow", id)
        if row.status not in FINAL_WORKFLOW:
            raise illegal(
                Reason.NOT_OVER,
                f"{row.address} is {row.status}; only what a workflow that is over left is removed",
                actions=[*_ways_on(row), Action(Do.STOP, row.address)],
            )
        if not row.tidied:
            raise illegal(
                Reason.NOT_OVER,
                f"the programs of {row.address} are being ended still",
                actions=[Action(Do.GET, row.address)],
            )
        return row

    def _spared(self, row: Workflow) -> dict[str, str]:
        """Return the branches of workflows that are not over, in the same repository."""
        found: dict[str, str] = {}
        for id in self.stage.reader.unfinished_ids():
            other = self.stage.reader.workflow(id)
            if other is not None and other.git_dir == row.git_dir:
                found |= {task.branch: f"{other.address} needs it" for task in other.tasks}
                found[other.target] = f"{other.address} lands on it"
        return found

    def _tell(self, row: Workflow, message: ClearAsk, cleaned: Cleaned) -> None:
        fact = WorkflowCleaned(
            address=row.address,
            removed=cleaned.removed[:_NAMED],
            kept=[f"{kept.what}: {kept.why}" for kept in cleaned.kept[:_NAMED]],
            by=message.caller.by,
            peer=message.caller.peer,
        )
        self.stage.commit(self, [fact])

    def _forget(self, row: Workflow, message: ClearAsk, cleaned: Cleaned) -> None:
        """Remove the rows and the facts of a workflow that left nothing in the home."""
        home = str(self.stage.paths.home)
        left = [kept for kept in cleaned.kept if kept.what.startswith(home)]
        if left:
            raise illegal(
                Reason.NOT_CLEAN,
                f"{left[0].what} stays, and only {row.address} knows of it: {left[0].why}",
                actions=[Action(Do.CLEAN, row.address)],
            )
        fact = WorkflowForgotten(
            address=row.address, by=message.caller.by, peer=message.caller.peer
        )
        head = str(self.stage.journal.head)
        mark = Insert("meta", {"key": "compacted", "value": head}, replace=True)
        self.stage.commit(self, [Forget(row.id), mark, fact])

    def on_dead_letter(self, item: object, error: BaseException) -> None:
        """Answer a request that failed or was cut short."""
        message = self.decode(item)
        if isinstance(message, ClearAsk):
            failure = refusal(f"the cleaning of {message.workflow}/", error)
            self.stage.replies.refuse(message.client, message.id, failure)


def _ways_on(row: Workflow) -> list[Action]:
    return [Action(Do.WHY, row.address)] if row.status == WorkflowStatus.FAILED else []
