"""The workflow actor: the thin shell around the pure core in `decisions`.

It reads the observations that it has not handled; the journal is its durable mailbox. It asks
`decide`, stores the decision together with its new position in the journal, and tells the actors
whose rows changed to look. It keeps no state of the workflow: every decision is made on the rows as
they are.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from actors.supervision.actor import handles
from actors.supervision.errors import AlreadyPresent, AlreadyStarted, Restarting, Running
from actors.supervision.spec import ChildSpec
from actors.system.replies import refusal
from actors.system.stage import CompanyActor, Stage
from actors.workflow.decisions.decide import decide
from bus import address as addresses
from bus import clock
from bus.errors import Refused
from bus.facts import CommitSeen, Fact, OrchestratorActed, RefRewritten, TerminalExited
from bus.messages import Answer, Look, Order
from bus.peer import NOBODY, Caller
from bus.requests import Command
from bus.results import CommandDone
from bus.rows import Workflow
from bus.status import FINAL_WORKFLOW
from store.change import Insert, Move, Operation, Update
from store.errors import LostRace, StoreError

_TRIES = 20
"""How often a decision is tried, on rows that others change meanwhile, before it fails."""


_FOR_MERGER = CommitSeen | RefRewritten | TerminalExited
"""Facts after which the merger may have something to do beside a merge."""


class WorkflowActor(CompanyActor):
    """One workflow. Its handlers run in its thread and wait only for the journal.

    `terminal_spec(address)` returns the child specification of a terminal's actor.
    """

    def __init__(
        self, stage: Stage, workflow: str, terminal_spec: Callable[[str], ChildSpec]
    ) -> None:
        super().__init__(stage)
        self._id = workflow
        self._terminal_spec = terminal_spec
        self._woken = False
        self._answered: Order | None = None

    def on_start(self) -> None:
        """Read the plan, and have this actor look for observations."""
        self._plan = self.stage.reader.plan(self._id)
        self.stage.tell(self.address, Look())

    @handles(Look)
    def look(self, _message: Look) -> None:
        """Decide on every observation that is not handled yet, oldest first."""
        _, handled = self.stage.reader.standing(self._id)
        branches_moved = False
        for fact in self.stage.reader.unhandled(self._id, handled):
            self._poke(self._decide(fact))
            branches_moved = branches_moved or isinstance(fact, _FOR_MERGER)
        if branches_moved:
            self.stage.tell(addresses.merger(self._id), Look())
        if not self._woken:
            self._woken = True
            self._wake_all()
        self._leave_when_over()

    @handles(Order)
    def order(self, message: Order) -> None:
        """Handle a person's command. Answer it when the decision is durable."""
        self.look(Look())
        request, seq = message.request, self.stage.journal.head
        try:
            change = self._decide(request, message.caller)
        except Refused as error:
            self.stage.replies.refuse(message.client, request.id, error)
            return
        except StoreError as error:
            failure = refusal(f"the command on {self.address}", error)
            self.stage.replies.refuse(message.client, request.id, failure)
            self._answered = message
            raise
        row = self._row().without_tokens()
        done = CommandDone(workflow=self._id, status=row.status, seq=seq, row=row)
        self.stage.replies.reply(message.client, request.id, done)
        self._answered = message
        self._poke(change)
        self._leave_when_over()

    def on_dead_letter(self, item: Any, error: BaseException) -> None:
        """Answer a command that made this actor fail, unless it was answered before."""
        message = self.decode(item)
        if isinstance(message, Order) and message != self._answered:
            failure = refusal(f"the command on {self.address}", error)
            self.stage.replies.refuse(message.client, message.request.id, failure)

    def _row(self) -> Workflow:
        workflow = self.stage.reader.workflow(self._id)
        if workflow is None:
            raise LookupError(f"workflow {self._id} has no row")
        return workflow

    def _decide(self, event: Fact | Command, caller: Caller = NOBODY) -> Sequence[Operation]:
        """Decide, store the decision, and return it when it is durable.

        Others may change their columns in between; then decide again.
        """
        for attempt in range(_TRIES):
            change = decide(
                self._row(),
                self._plan,
                event,
                token=secrets.token_hex(16),
                now=_time(event),
                clock=clock.awake(),
                caller=caller,
            )
            try:
                self.stage.commit(self, change)
            except LostRace:
                if attempt == _TRIES - 1:
                    raise
                continue
            if any(isinstance(op, Update) and "plan" in op.sets for op in change):
                self._plan = self.stage.reader.plan(self._id)
            return change
        raise AssertionError("the last try raises")

    # ---- effects -------------------------------------------------------------------------

    def _poke(self, change: Sequence[Operation]) -> None:
        """Tell the actors whose rows changed to look."""
        terminals, merge = set(), False
        for operation in change:
            match operation:
                case (
                    Move(table="terminal", address=address) | Update(table="terminal", key=address)
                ):
                    terminals.add(address)
                case Insert(table="terminal", values=values):
                    terminals.add(values["address"])
                case Insert(table="task"):
                    self.stage.tell(addresses.watcher(self._id), Look())
                case Move(table="task"):
                    merge = True
                case Move(table="workflow"):
                    merge = True
                    terminals |= {t.address for t in self._row().terminals() if not t.gone}
                case Update(table="merge"):
                    merge = True
                case Update(table="question"):
                    self.stage.tell(addresses.ORCHESTRATOR, Look())
                case OrchestratorActed(action="answer", accepted=True):
                    self._answer_prompt(operation)
        for address in sorted(terminals):
            self._look_at_terminal(address)
        if merge:
            self.stage.tell(addresses.merger(self._id), Look())

    def _answer_prompt(self, fact: OrchestratorActed) -> None:
        """Have a terminal's actor answer the question on its screen, if it is still there."""
        caller = Caller(fact.by, fact.peer)
        self.stage.tell(fact.about, Answer("", None, fact.choices[0], caller, proposed=True))

    def _wake_all(self) -> None:
        """Wake all actors of the workflow that may have something to do, after a start."""
        for terminal in self._row().terminals():
            if not terminal.gone:
                self._rouse(terminal.address)
        self.stage.tell(addresses.merger(self._id), Look())

    def _look_at_terminal(self, address: str) -> None:
        """Have a terminal's actor look at its row. Start the actor if there is none."""
        terminal = self.stage.reader.terminal(address)
        if terminal is not None and not terminal.gone:
            self._rouse(address)

    def _rouse(self, address: str) -> None:
        if not self.stage.tell(address, Look()):
            self._start_terminal(self._terminal_spec(address))  # it looks when it starts

    def _start_terminal(self, spec: ChildSpec) -> None:
        with suppress(AlreadyStarted, Running, Restarting):
            try:
                self.supervisor.start_child(spec)
            except AlreadyPresent:
                self.supervisor.restart_child(spec.id)

    def _leave_when_over(self) -> None:
        """Wake the merger if the workflow is over and none of its programs runs any more.

        The merger cleans up, and then ends all actors of the workflow.
        """
        status, _ = self.stage.reader.standing(self._id)
        if status in FINAL_WORKFLOW and all(t.gone for t in self._row().terminals()):
            self.stage.tell(addresses.merger(self._id), Look())


def _time(event: Fact | Command) -> str:
    return event.at if isinstance(event, Fact) else clock.stamp()
