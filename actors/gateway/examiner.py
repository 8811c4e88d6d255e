"""The examiner, which checks plans and submits them.

A check reads the repository, and may run its filters. So it is made in a worker process with a time
limit, and by an actor of its own: the gateway does not wait for it.
"""

from typing import Any, Protocol

from actors.plan.check import Checked, check, shown
from actors.plan.submit import of_environment, submit
from actors.platform.workers import WorkerLate
from actors.supervision.actor import handles
from actors.system.own_worker import OwnWorker, Rest
from actors.system.replies import refusal
from actors.system.stage import CompanyActor, Stage
from bus.errors import Refused
from bus.messages import PlanAsk
from bus.reasons import Reason
from bus.requests import PlanCheck, PlanSubmit
from bus.results import Submitted

EXAMINE_SECONDS = 25.0
"""Less than a client waits."""


class Starter(Protocol):
    """What the examiner asks of the runtime. Any thread may call it."""

    def start_workflow(self, id: str) -> None:
        """Start the actors of a stored workflow."""


class Examiner(CompanyActor):
    """Answers one plan after another."""

    def __init__(self, stage: Stage, starter: Starter) -> None:
        super().__init__(stage)
        self._starter = starter
        self._worker = OwnWorker(
            stage.workers, stage.timers, self.address, "examiner", EXAMINE_SECONDS
        )

    def on_stop(self) -> None:
        """End the worker process."""
        self._worker.close()

    def on_failure(self, *_: object) -> None:
        """End the worker process."""
        self._worker.close()

    @handles(Rest)
    def rest(self, _message: Rest) -> None:
        """End the worker process, which has had nothing to do."""
        self._worker.rest()

    @handles(PlanAsk)
    def answer(self, message: PlanAsk) -> None:
        """Check a plan, store it if that was asked, and answer the client."""
        self.stage.replies.answer(
            message.client, message.request.id, "the plan", lambda: self._examined(message)
        )

    def _examined(self, message: PlanAsk) -> Any:
        request = message.request
        checked = self._check(request)
        if isinstance(request, PlanCheck):
            return shown(checked)
        id = submit(self.stage, self, checked, message.caller)
        self._starter.start_workflow(id)
        warnings = [*checked.warnings, *of_environment(request)]
        return Submitted(id=id, workflow=id, address=f"{id}/", warnings=warnings)

    def _check(self, request: PlanCheck | PlanSubmit) -> Checked:
        brought = request.variables if isinstance(request, PlanSubmit) else {}
        try:
            return self._worker.call(check, request.plan, request.base, request.again, brought)
        except WorkerLate as late:
            raise Refused(
                503,
                Reason.TOO_LONG,
                f"the repository could not be examined within {EXAMINE_SECONDS:g} s; a filter of "
                "it may be hanging, or its file system",
            ) from late

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """Answer a request that failed or was cut short."""
        message = self.decode(item)
        if isinstance(message, PlanAsk):
            failure = refusal("the plan", error)
            self.stage.replies.refuse(message.client, message.request.id, failure)
