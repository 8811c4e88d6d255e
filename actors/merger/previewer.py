"""The previewer, which computes what the merge of a workflow would give.

It is an actor of its own, so that the gateway does not wait for a large repository, and a preview
does not wait for a merge.
"""

import logging
from typing import Any

from actors.git.merge import plan_merge, preview
from actors.supervision.actor import handles
from actors.system.replies import DEFECT, refusal
from actors.system.stage import CompanyActor
from bus.errors import unknown
from bus.messages import Preview

log = logging.getLogger("callboard.previewer")

PREVIEW_SECONDS = 20.0
"""Less than a client waits."""


class Previewer(CompanyActor):
    """Answers one preview after another, each in a worker process of its own."""

    @handles(Preview)
    def answer(self, message: Preview) -> None:
        """Make a preview and answer the client with it."""
        try:
            result = self._preview(message.workflow)
        except Exception as error:  # a repository that cannot be read must not end the runtime
            failure = refusal(f"the preview of {message.workflow}/", error)
            if failure.body.code == DEFECT:
                log.exception("the preview of %s broke", message.workflow)
            self.stage.replies.refuse(message.client, message.id, failure)
        else:
            self.stage.replies.reply(message.client, message.id, result)

    def _preview(self, id: str) -> Any:
        workflow = self.stage.reader.workflow(id)
        if workflow is None:
            raise unknown("workflow", id)
        branches = [(t.branch, t.name) for t in workflow.tasks if t.base]
        asked = plan_merge(workflow.git_dir, workflow.target, branches, time=0)
        worker = self.stage.workers.hire("preview", PREVIEW_SECONDS)
        try:
            return worker.call(preview, asked)
        finally:
            self.stage.workers.dismiss(worker)

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """Answer a preview that failed or was cut short."""
        message = self.decode(item)
        if isinstance(message, Preview):
            failure = refusal(f"the preview of {message.workflow}/", error)
            self.stage.replies.refuse(message.client, message.id, failure)
