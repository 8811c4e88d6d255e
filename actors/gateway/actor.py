"""The gateway: the door for requests from outside.

It decodes them, answers what can be read, and hands commands to the workflow they are for. Reading
changes nothing (hazard 19).
"""

import logging
import os
from collections.abc import Sequence
from functools import singledispatchmethod
from pathlib import Path
from typing import Any, get_args

import msgspec

from actors.gateway.control import Control
from actors.gateway.inspection import known, picture, usage
from actors.gateway.rights import READING, check_plan, check_right
from actors.plan.change import check_command
from actors.plan.text import shown_plan
from actors.supervision.actor import handles
from actors.system.replies import DEFECT, number_of, refusal
from actors.system.stage import CompanyActor, Stage
from actors.workflow.decisions.decide import decide
from bus import address as addresses
from bus import clock, requests
from bus.action import Action, Do
from bus.errors import Refused, illegal, unknown
from bus.event_requests import EventsNewest
from bus.messages import (
    Answer,
    ChangeAsk,
    ClearAsk,
    ConfigAsk,
    ConsoleAsk,
    DiffAsk,
    Message,
    Order,
    PlanAsk,
    Preview,
    ScreenAsk,
)
from bus.peer import NOBODY, By, Caller, Right
from bus.plan import Plan
from bus.plan_changes import without
from bus.plan_requests import InstructionReplace, PlanChange, PlanShow
from bus.reasons import Reason
from bus.router import Envelope
from bus.rows import Terminal, Workflow
from bus.status import FINAL_WORKFLOW, TaskStatus
from store import compaction

log = logging.getLogger("callboard.gateway")

PENDING = object()
"""The answer of a request that another actor answers."""

_CHAIN = 200
"""Facts that `why` goes back."""


class Gateway(CompanyActor):
    """Answer requests in the actor's thread, one after another. No handler waits for an actor."""

    def __init__(self, stage: Stage, control: Control, repositories: Sequence[Path] = ()) -> None:
        super().__init__(stage)
        self._control = control
        self._repositories = repositories
        self._caller = NOBODY

    def decode(self, item: Any) -> Any:
        """Requests come as they are: the decoding is this actor's work."""
        return item

    @handles(Envelope)
    def request(self, envelope: Envelope) -> None:
        """Answer a request, or pass it on to the actor that answers it."""
        client, frame = envelope.sender, envelope.payload
        self._control.note_request()
        try:
            caller = _allowed(envelope)
            request = requests.decode(frame)
            self._log(client, caller, request)
            check_right(caller, request)
            if caller.key and type(request) not in READING:
                self._control.repeats.require_new(caller.key, request.id)
        except Refused as error:
            self.stage.replies.refuse(client, requests.id_of(frame), error)
            return
        try:
            self._caller = caller
            result = self.answer(request, client)
        except Exception as error:  # a request must not end the gateway
            failure = refusal("the request", error)
            if failure.body.code == DEFECT:
                log.exception("%s broke", _kind(request), extra={"request": number_of(client)})
            self.stage.replies.refuse(client, request.id, failure)
        else:
            if result is not PENDING:
                self.stage.replies.reply(client, request.id, result)

    def _log(self, client: str, caller: Caller, request: Any) -> None:
        """Log who asks what, and nothing of what the request says."""
        if log.isEnabledFor(logging.INFO):
            who = " ".join(word for word in (caller.by, caller.peer, caller.request) if word)
            log.info("%s by %s", _kind(request), who, extra={"request": number_of(client)})

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """A request that broke the gateway is answered all the same."""
        if isinstance(item, Envelope):
            self.stage.replies.refuse(
                item.sender, requests.id_of(item.payload), refusal("the request", error)
            )

    @singledispatchmethod
    def answer(self, request: Any, client: str) -> Any:
        """Whatever is no reading is a command, for the workflow it names."""
        return self._hand_on(request, client)

    # ---- commands ------------------------------------------------------------------------

    def _hand_on(self, request: Any, client: str) -> Any:
        whole = hasattr(request, "workflow")
        named = request.workflow if whole else addresses.workflow_of(request.task)
        workflow = self.workflow(named)
        if whole:
            request.workflow = workflow.id
        else:
            where = addresses.normal(f"{workflow.id}/{request.task.partition('/')[2]}")
            terminal = self.stage.reader.terminal(where)
            request.task = terminal.task if terminal is not None and terminal.task else where
        plan = self._plan_of(workflow)
        check_command(request, plan)
        if workflow.status in FINAL_WORKFLOW:
            decide(workflow, plan, request, token="", now=clock.stamp())
            raise illegal(Reason.OVER, f"{workflow.address} is {workflow.status}")
        if isinstance(request, PlanChange):
            self._pass(addresses.EXAMINER, ChangeAsk(client, request, workflow.id, self._caller))
            return PENDING
        self.stage.replies.hand_on(
            workflow.id, workflow.address, Order(client, request, self._caller)
        )
        return PENDING

    @answer.register
    def _send(self, request: requests.TerminalSend, client: str) -> Any:
        workflow, terminal = self._terminal(request.terminal)
        request.terminal = terminal.address
        order = Order(client, request, self._caller)
        self.stage.replies.hand_on(workflow.id, workflow.address, order)
        return PENDING

    answer.register(InstructionReplace, _send)

    @answer.register
    def _answer_prompt(self, request: requests.TerminalAnswer, client: str) -> Any:
        workflow, terminal = self._terminal(request.terminal)
        if not terminal.live:
            raise illegal(
                Reason.NOT_LIVE, f"{terminal.address} is {terminal.status}; it asks nothing"
            )
        answer = Answer(client, request.id, request.choice, self._caller)
        self.stage.replies.hand_on(workflow.id, terminal.address, answer)
        return PENDING

    def _to_watcher(self, request: requests.ConfigRequest, client: str) -> Any:
        workflow = self.workflow(request.workflow)
        ask = ConfigAsk(client, request, self._caller)
        self.stage.replies.hand_on(workflow.id, addresses.watcher(workflow.id), ask)
        return PENDING

    for _kind in get_args(requests.ConfigRequest):
        answer.register(_kind, _to_watcher)

    def _to_console(self, request: requests.ConsoleRequest, client: str) -> Any:
        request.terminal = self._terminal(request.terminal)[1].address
        self._pass(addresses.CONSOLES, ConsoleAsk(client, request, self._caller))
        return PENDING

    for _kind in get_args(requests.ConsoleRequest):
        answer.register(_kind, _to_console)

    @answer.register
    def _screen(self, request: requests.TerminalScreen, client: str) -> Any:
        terminal = self._terminal(request.terminal)[1].address
        self._pass(addresses.SCREENS, ScreenAsk(client, request.id, terminal))
        return PENDING

    def _pass(self, to: str, message: Message) -> None:
        if not self.stage.tell(to, message):
            raise Refused(503, Reason.STOPPING, "the runtime is stopping")

    def _terminal(self, name: str) -> tuple[Workflow, Terminal]:
        """A terminal by its address, whose workflow may be shortened. Raises `Refused`."""
        where = addresses.normal(name)
        workflow = self.workflow(addresses.workflow_of(where))
        where = addresses.normal(f"{workflow.id}/{where.partition('/')[2]}")
        terminal = self.stage.reader.terminal(where)
        if terminal is None:
            raise unknown("terminal", where)
        return workflow, terminal

    @answer.register
    def _submit(self, request: requests.PlanSubmit, client: str) -> Any:
        return self._to_examiner(request, client)

    def _to_examiner(self, request: requests.PlanCheck | requests.PlanSubmit, client: str) -> Any:
        self._check_plan(request)
        self._pass(addresses.EXAMINER, PlanAsk(client, request, self._caller))
        return PENDING

    def _check_plan(self, request: requests.PlanCheck | requests.PlanSubmit) -> None:
        """Raise `Refused` for a plan that brings more than the caller may."""
        if self._caller.right != Right.OWN:
            used = (self.stage.reader.workflow(id) for id in self.stage.reader.workflow_ids())
            places = [Path(row.repo) for row in used if row is not None]
            check_plan(self._caller, request, [*self._repositories, *places])

    @answer.register
    def _compact(self, _request: requests.EventsCompact, _client: str) -> Any:
        return {"removed": compaction.compact(self.stage.journal, self.stage.reader)}

    @answer.register
    def _clean(self, request: requests.WorkflowClean, client: str) -> Any:
        id = self.workflow(request.workflow).id
        how = (request.dry_run, request.keep_outputs, False)
        self._pass(addresses.JANITOR, ClearAsk(client, request.id, id, *how, self._caller))
        return PENDING

    @answer.register
    def _forget(self, request: requests.WorkflowForget, client: str) -> Any:
        id = self.workflow(request.workflow).id
        ask = ClearAsk(client, request.id, id, forget=True, caller=self._caller)
        self._pass(addresses.JANITOR, ask)
        return PENDING

    @answer.register
    def _stop(self, request: requests.RuntimeStop, _client: str) -> Any:
        self._control.request_stop("asked by a request", request.terminals)
        return {"pid": os.getpid(), "terminals": request.terminals}

    # ---- readings ------------------------------------------------------------------------

    @answer.register
    def _check(self, request: requests.PlanCheck, client: str) -> Any:
        return self._to_examiner(request, client)

    @answer.register
    def _show(self, request: PlanShow, _client: str) -> Any:
        workflow = self.workflow(request.workflow)
        gone = [t.id for t in workflow.tasks if t.status == TaskStatus.CANCELLED]
        if workflow.status in FINAL_WORKFLOW:
            gone = []
        return shown_plan(without(self._plan_of(workflow), gone))

    @answer.register
    def _list(self, _request: requests.WorkflowList, _client: str) -> Any:
        found = [self.stage.reader.workflow(id) for id in self.stage.reader.workflow_ids()]
        return [row.without_tokens() for row in found if row is not None]

    @answer.register
    def _get(self, request: requests.WorkflowGet, _client: str) -> Any:
        return self.workflow(request.workflow).without_tokens()

    @answer.register
    def _preview(self, request: requests.MergePreview, client: str) -> Any:
        workflow = self.workflow(request.workflow)
        if not self.stage.tell(addresses.PREVIEWER, Preview(client, request.id, workflow.id)):
            raise Refused(503, Reason.STOPPING, "the runtime is stopping")
        return PENDING

    @answer.register
    def _diff(self, request: requests.TaskDiff, client: str) -> Any:
        workflow = self.workflow(addresses.workflow_of(request.task))
        where = addresses.normal(f"{workflow.id}/{request.task.partition('/')[2]}")
        terminal = self.stage.reader.terminal(where)
        task = terminal.task if terminal is not None and terminal.task else where
        ask = DiffAsk(client, request.id, task, text=not request.stat)
        self._pass(addresses.PREVIEWER, ask)
        return PENDING

    @answer.register
    def _tree(self, _request: requests.TreeInspect, _client: str) -> Any:
        return picture(self.stage, self._control.inspect())

    @answer.register
    def _replay(self, request: requests.EventsReplay, _client: str) -> Any:
        reader = self.stage.reader
        with reader.one_state():
            found = reader.bodies(request.after, request.limit, request.address)
            return {
                "facts": [msgspec.Raw(body) for body in found],
                "head": reader.head(),
                "compacted": reader.compacted(),
            }

    @answer.register
    def _newest(self, request: EventsNewest, _client: str) -> Any:
        where = map(addresses.normal, request.addresses)
        found = (self.stage.reader.last(address, request.types, _CHAIN) for address in where)
        return {"facts": [msgspec.Raw(body) for body in found if body is not None]}

    @answer.register
    def _snapshot(self, _request: requests.Snapshot, _client: str) -> Any:
        reader = self.stage.reader
        with reader.one_state():
            found = [reader.workflow(id) for id in reader.workflow_ids()]
            workflows = [row.without_tokens() for row in found if row is not None]
            return {"seq": reader.head(), "workflows": workflows}

    @answer.register
    def _why(self, request: requests.Why, _client: str) -> Any:
        where = addresses.normal(request.address)
        id, _, rest = where.partition("/")
        if id != "runtime":
            workflow = self.workflow(id).without_tokens()
            return self._chain(workflow, known(workflow, f"{workflow.id}/{rest}"))
        facts = self.stage.reader.newest(where, _CHAIN)
        return {"address": where, "status": "", "reason": "", "facts": facts}

    def _chain(self, workflow: Workflow, where: str) -> Any:
        """What is true of an address, and the facts that led there.

        A terminal's are also those of its task: the commits are the task's.
        """
        terminal = next((t for t in workflow.terminals() if t.address == where), None)
        row = terminal or next((t for t in workflow.tasks if t.address == where), workflow)
        facts = self.stage.reader.newest(where, _CHAIN, also=terminal.task if terminal else "")
        state = {"status": row.status, "reason": row.reason, "terminal": terminal}
        return {"address": where, **state, "facts": facts}

    @answer.register
    def _usage(self, request: requests.Usage, _client: str) -> Any:
        return usage(self.stage, request.address, self.workflow)

    @answer.register
    def _runtime(self, _request: requests.RuntimeInfo, _client: str) -> Any:
        return self._control.info()

    def _plan_of(self, workflow: Workflow) -> Plan:
        """Return the plan. Raise `Refused` (404) if the workflow was forgotten meanwhile."""
        try:
            return self.stage.reader.plan(workflow.id)
        except LookupError:
            raise unknown("workflow", workflow.id) from None

    def workflow(self, name: str) -> Workflow:
        """By id, address, or any unique prefix of an id. Raises `Refused` (404, 422)."""
        wanted = name.rstrip("/")
        if (exact := self.stage.reader.workflow(wanted)) is not None:
            return exact
        if "/" in wanted:
            raise self._below_a_workflow(wanted)
        matching = [id for id in self.stage.reader.workflow_ids() if id.startswith(wanted)]
        if not matching or not wanted:
            raise unknown("workflow", name)
        if len(matching) > 1:
            raise Refused(422, Reason.AMBIGUOUS, f"{name!r} may be {', '.join(matching)}")
        workflow = self.stage.reader.workflow(matching[0])
        if workflow is None:
            raise unknown("workflow", name)
        return workflow

    def _below_a_workflow(self, address: str) -> Refused:
        """The refusal of a task or a terminal where a workflow is asked for."""
        owner = self.workflow(addresses.workflow_of(address))
        where = f"{owner.id}/{address.partition('/')[2]}/"
        if where in [task.address for task in owner.tasks]:
            what = "a task"
        elif where in [terminal.address for terminal in owner.terminals()]:
            what = "a terminal"
        else:
            return unknown("workflow", address)
        message = f"{address} is {what}; its workflow is {owner.id}"
        return Refused(404, Reason.UNKNOWN, message, actions=[Action(Do.GET, owner.address)])


def _kind(request: Any) -> str:
    return str(request.__struct_config__.tag)


def _allowed(envelope: Envelope) -> Caller:
    """Who asks. Raises `Refused` (403) for whoever is not a person's door."""
    caller = envelope.caller
    if caller is None or caller.refusal:
        why = caller.refusal if caller else "it did not come through a door"
        message = f"this request is refused: {why}"
        if caller is not None and caller.by == By.AGENT:
            message += "; an agent has no voice here but its commits"
        raise Refused(403, Reason.NOT_ALLOWED, message)
    return caller
