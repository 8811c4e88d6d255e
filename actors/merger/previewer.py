"""The previewer, which computes what the merge of a workflow would give.

It is an actor of its own, so that the gateway does not wait for a large repository, and a preview
does not wait for a merge.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from actors.git.merging.merge import plan_merge, preview
from actors.git.reading.branch_diff import branch_diff
from actors.git.trees.reach import for_reading
from actors.git.users import keeping
from actors.supervision.actor import handles
from actors.system.replies import refusal
from actors.system.stage import CompanyActor
from bus import address as addresses
from bus.action import Action, Do
from bus.errors import illegal, unknown
from bus.messages import DiffAsk, Preview
from bus.reasons import Reason
from bus.results import TaskDiff
from bus.rows import Workflow
from bus.status import FINAL_WORKFLOW

P = ParamSpec("P")
T = TypeVar("T")

PREVIEW_SECONDS = 20.0
"""Less than a client waits."""
TO_TELL = 0.75
"""The part of it that the merges of a preview may take. Then their git is ended, and the answer
names the merge driver that hangs."""


class Previewer(CompanyActor):
    """Answers one preview after another, each in a worker process of its own."""

    @handles(Preview)
    def answer(self, message: Preview) -> None:
        """Make a preview and answer the client with it."""
        what = f"the preview of {message.workflow}/"
        self.stage.replies.answer(
            message.client, message.id, what, lambda: self._preview(message.workflow)
        )

    @handles(DiffAsk)
    def diff(self, message: DiffAsk) -> None:
        """Compare a task's branch with its base and answer the client."""
        what = f"the diff of {message.task}"
        self.stage.replies.answer(message.client, message.id, what, lambda: self._diff(message))

    def _preview(self, id: str) -> Any:
        workflow = self.stage.reader.workflow(id)
        if workflow is None:
            raise unknown("workflow", id)
        branches: list[tuple[str, str]] = []
        if workflow.status not in FINAL_WORKFLOW:  # nothing is merged of what is over
            self._require_unchanged(workflow)
            branches = [(t.branch, t.name) for t in workflow.in_merge_order() if t.worktree]
        asked = plan_merge(workflow.git_dir, workflow.target, branches, time=0)
        return self._compute(preview, asked, TO_TELL * PREVIEW_SECONDS)

    def _require_unchanged(self, row: Workflow) -> None:
        """Refuse to run the merge drivers of a repository that was changed since the submission."""
        kept = self.stage.reader.kept(row.id)[0]
        place = self.stage.paths.kept(row.id)
        if kept and keeping.holds(row.git_dir, place, kept, row.target):
            said = (
                f"the repository of {row.address} was changed, and a preview would run what is "
                "configured there now: look at the change first"
            )
            raise illegal(Reason.CHANGED, said, actions=[Action(Do.WHY, row.address)])

    def _diff(self, message: DiffAsk) -> TaskDiff:
        workflow = self.stage.reader.workflow(addresses.workflow_of(message.task))
        tasks = workflow.tasks if workflow is not None else []
        task = next((task for task in tasks if task.address == message.task), None)
        if workflow is None or task is None:
            raise unknown("task", message.task)
        if not task.worktree:
            raise illegal(Reason.NO_BRANCH, f"{task.address} has no branch yet")
        fenced = self.stage.reader.plan(workflow.id).fences(task.address)
        unseen = self.stage.paths.unseen(fenced)
        within = for_reading(workflow.git_dir, task.worktree, unseen)
        asked = (workflow.git_dir, task.worktree, task.base, task.tip, message.text, within)
        settings = self.stage.reader.git_settings(workflow.id)
        found = self._compute(branch_diff, *asked, settings)
        found.task = task.address
        return found

    def _compute(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in a worker process of its own, which its limit ends."""
        worker = self.stage.workers.hire("preview", PREVIEW_SECONDS)
        try:
            return worker.call(function, *args, **kwargs)
        finally:
            self.stage.workers.dismiss(worker)

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """Answer a request that failed or was cut short."""
        message = self.decode(item)
        match message:
            case Preview(client=client, id=id, workflow=workflow):
                what = f"the preview of {workflow}/"
            case DiffAsk(client=client, id=id, task=task):
                what = f"the diff of {task}"
            case _:
                return
        self.stage.replies.refuse(client, id, refusal(what, error))
