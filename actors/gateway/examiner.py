"""The examiner, which checks plans and submits them.

A check reads the repository, and may run its filters. So it is made in a worker process with a time
limit, and by an actor of its own: the gateway does not wait for it.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from actors.plan.change import checked_change
from actors.plan.check import Checked, check, shown
from actors.plan.submit import digest_of, of_environment, submit
from actors.platform.workers import WorkerLate
from actors.supervision.actor import handles
from actors.system.own_worker import OwnWorker, Rest
from actors.system.replies import refusal
from actors.system.stage import CompanyActor, Stage
from bus import address as addresses
from bus.errors import Refused
from bus.messages import ChangeAsk, Order, PlanAsk
from bus.reasons import Reason
from bus.requests import PlanCheck, PlanSubmit
from bus.results import Submitted

P = ParamSpec("P")
T = TypeVar("T")

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
        if isinstance(request, PlanCheck):
            return shown(self._check(request), self.stage.paths.home)
        digest = digest_of(request)
        known = self.stage.reader.submitted(digest) if digest else None
        if known is not None:
            return Submitted(id=known, workflow=known, address=f"{known}/")
        checked = self._check(request)
        id = submit(self.stage, self, checked, message.caller, digest)
        self._starter.start_workflow(id)
        warnings = [*checked.warnings, *of_environment(request)]
        return Submitted(id=id, workflow=id, address=f"{id}/", warnings=warnings)

    def _check(self, request: PlanCheck | PlanSubmit) -> Checked:
        brought = request.variables if isinstance(request, PlanSubmit) else {}
        home = self.stage.paths.home
        return self._call(check, request.plan, request.base, request.again, brought, home)

    @handles(ChangeAsk)
    def change(self, message: ChangeAsk) -> None:
        """Check a change of a plan, and pass it to its workflow."""
        client, request, id = message.client, message.request, message.workflow
        try:
            plan, home = self.stage.reader.plan(id), self.stage.paths.home
            checked = self._call(checked_change, request, plan, home)
            order = Order(client, checked, message.caller)
            self.stage.replies.hand_on(id, addresses.workflow(id), order)
        except Refused as error:
            self.stage.replies.refuse(client, request.id, error)

    def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return self._worker.call(function, *args, **kwargs)
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
        if isinstance(message, PlanAsk | ChangeAsk):
            failure = refusal("the plan", error)
            self.stage.replies.refuse(message.client, message.request.id, failure)
