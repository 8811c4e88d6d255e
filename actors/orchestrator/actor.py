"""The orchestrator: puts the workflows' questions to a model, and stores what it answers.

It decides nothing. The core of a workflow says when a question is to be asked, and decides on the
answer; this actor makes the text, hands it to the process that speaks with the model, and stores
each step with its fact. A question that was asked when the runtime ended counts as spent.
"""

import hashlib
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec

from actors.clis import models
from actors.clis.models import Model
from actors.orchestrator.actions import TOOL, schema
from actors.orchestrator.changes import changes
from actors.orchestrator.keeper import Keeper, Mind
from actors.orchestrator.redaction import values_of
from actors.orchestrator.thoughts import Endpoint, Said, Thought, ThoughtOver
from actors.orchestrator.view import Scene, view
from actors.platform.workers import WorkerDied
from actors.supervision.actor import handles
from actors.system.own_worker import OwnWorker, Rest
from actors.system.stage import CompanyActor, Stage
from actors.workflow.decisions.proposals import request_of
from bus import address as addresses
from bus import clock, proposals
from bus.errors import Refused
from bus.facts import OrchestratorAnswered, OrchestratorAsked
from bus.kinds import CauseKind
from bus.messages import Look
from bus.plan import Plan
from bus.plan_orchestrator import Orchestrator as Settings
from bus.plan_requests import PlanChange
from bus.questions import Cause, Question
from bus.rows import Task, Workflow
from bus.status import FINAL_WORKFLOW, QuestionStage
from store.change import Insert, Operation, update_question
from store.columns import QuestionColumns
from store.errors import LostRace

log = logging.getLogger("callboard.orchestrator")

SYSTEM = Path(__file__).with_name("system.md")
"""The system prompt."""
THINK_SECONDS = 120.0
"""How long one question may take, with all attempts."""
_WORK_SECONDS = 25.0
_ANSWER_TOKENS = 2_000
_CHARS_PER_TOKEN = 3
_ATTEMPTS = 4
"""Into so many attempts the tokens of a question are divided."""
_NIGHT = timedelta(hours=24)
_DIFFS = 12
_FACTS = 200


Examine = Callable[[PlanChange, Plan, Path], PlanChange]
"""Checks a change of a plan against this machine. Raises `Refused`. It runs in a worker process."""


class OrchestratorActor(CompanyActor):
    """Asks and stores. Handlers run in the actor's thread; none waits for a model."""

    def __init__(self, stage: Stage, examine: Examine) -> None:
        super().__init__(stage)
        self._examine = examine
        self._mind: Mind | None = None
        self._worker = OwnWorker(
            stage.workers, stage.timers, addresses.ORCHESTRATOR, "orchestrator", _WORK_SECONDS
        )

    def on_start(self) -> None:
        """Count the questions as spent that an earlier run had asked; ask those that wait."""
        where, timers = self.address, self.stage.timers

        def hear(said: Said) -> None:
            if isinstance(said, ThoughtOver):
                timers.notify(where, said)

        self._mind = Keeper(self.stage.loop, hear)
        for id, number in self.stage.reader.questions(QuestionStage.ASKED):
            self._store_cut(id, number)
        self.stage.tell(self.address, Look())

    def on_stop(self) -> None:
        """End the processes."""
        self._close()

    def on_failure(self, *_: object) -> None:
        """End the processes."""
        self._close()

    def _close(self) -> None:
        if self._mind is not None:
            self._mind.close()
        self._worker.close()

    @handles(Rest)
    def rest(self, _message: Rest) -> None:
        """End the worker process, which has had nothing to do."""
        self._worker.rest()

    @handles(Look)
    def look(self, _message: Look) -> None:
        """Ask every question that is to be asked."""
        for id, number in self.stage.reader.questions(QuestionStage.WANTED):
            self._ask(id, number)

    # ---- asking --------------------------------------------------------------------------

    def _ask(self, id: str, number: int) -> None:
        found = self._question(id, number)
        if found is None or found[2].stage != QuestionStage.WANTED:
            return
        workflow, plan, question = found
        settings = plan.orchestrator
        is_over = workflow.status in FINAL_WORKFLOW and not question.sums_up
        if settings is None or is_over:
            return
        if any(each.stage == QuestionStage.ASKED for each in workflow.questions):
            return  # one question of a workflow is open at a time; `over` looks again
        known, missing = models.of_orchestrator(plan)
        trouble = "" if known else "; ".join(str(each) for each in missing)
        night = "" if trouble else self._night(settings)
        if trouble or night:
            fact = OrchestratorAnswered(
                address=workflow.address,
                question=number,
                error=trouble or night,
                spent=bool(night),
            )
            self._store(id, question, QuestionStage.WANTED, 0, fact)
            return
        thought = self._thought(workflow, plan, question, known)
        asked = OrchestratorAsked(
            address=workflow.address,
            question=number,
            causes=[_short(each) for each in question.causes],
            model=settings.model,
            prompt=hashlib.sha256(f"{thought.system}\n{thought.question}".encode()).hexdigest(),
            tokens=question.reserved,
        )
        expect: QuestionColumns = {"stage": QuestionStage.WANTED}
        update = update_question(id, number, expect, stage=QuestionStage.ASKED, at=clock.stamp())
        if self._commit([update, asked]) and self._mind is not None:
            self._mind.ask(thought)

    def _night(self, settings: Settings) -> str:
        """Return why the night's budget does not hold another question; "" if it does."""
        since = clock.text(clock.wall() - _NIGHT)
        used = self.stage.reader.thought_since(since)
        if used + settings.tokens.decision <= settings.tokens.night:
            return ""
        return f"tokens.night = {settings.tokens.night}: {used} were used or reserved in 24 hours"

    def _thought(
        self, workflow: Workflow, plan: Plan, question: Question, known: list[Model]
    ) -> Thought:
        settings = plan.orchestrator
        assert settings is not None
        tool = schema(() if question.sums_up else settings.may)
        system = SYSTEM.read_text(encoding="utf-8")
        answer = min(_ANSWER_TOKENS, settings.tokens.decision // 8)
        room = (settings.tokens.decision // _ATTEMPTS - answer) * _CHARS_PER_TOKEN
        room -= len(system) + len(msgspec.json.encode(tool))
        before = next((q for q in workflow.questions if q.number == question.number - 1), None)
        scene = Scene(
            workflow=workflow,
            plan=plan,
            question=question,
            newest=self.stage.reader.newest(workflow.address, _FACTS),
            changes=self._changes(workflow, question),
            refused=before.refused if before is not None else "",
        )
        hidden = values_of({**os.environ, **plan.environment})
        hidden += [model.key for model in known if model.key]
        return Thought(
            id=f"{workflow.id}/{question.number}",
            endpoints=tuple(
                Endpoint(settings.api_type, each.base_url, each.model, each.key) for each in known
            ),
            system=system,
            question=view(
                scene, limit=max(room, 1_000), number=secrets.token_hex(8), secrets=hidden
            ),
            schema=tool,
            max_tokens=answer,
            timeout=THINK_SECONDS,
            tool=TOOL,
        )

    def _changes(self, workflow: Workflow, question: Question) -> dict[str, str]:
        """Return what branches change: those of the causes first, a limited number."""
        near = {each.address for each in question.causes}

        def is_far(task: Task) -> bool:
            return not any(where.startswith(task.address) for where in near)

        found = {}
        for task in sorted(workflow.tasks, key=is_far)[:_DIFFS]:
            if not task.base or task.tip in ("", task.base):
                continue
            try:
                found[task.address] = self._worker.call(
                    changes, workflow.git_dir, task.base, task.tip
                )
            except WorkerDied as error:
                log.warning("%s: changes cannot be shown: %s", task.address, error)
                break  # what hangs for one branch hangs for all, and others want to ask
        return found

    # ---- answers -------------------------------------------------------------------------

    @handles(ThoughtOver)
    def over(self, said: ThoughtOver) -> None:
        """Store an answer, after a look at whether this machine can do what it proposes."""
        id, _, number = said.id.rpartition("/")
        found = self._question(id, int(number))
        if found is None:
            return
        workflow, plan, question = found
        settings = plan.orchestrator
        assert settings is not None
        proposal = said.arguments or {}
        fact = OrchestratorAnswered(
            address=workflow.address,
            question=question.number,
            model=said.model,
            proposal=proposal,
            error=said.error if not proposal else "",
            tokens_in=said.tokens_in,
            tokens_out=said.tokens_out,
            exact=said.exact,
            seconds=round(said.seconds, 3),
            attempts=said.attempts,
            cost=_cost(settings, said),
        )
        if not question.sums_up:
            fact.refused = self._machine_refuses(fact, plan, workflow.id)
        used = said.tokens_in + said.tokens_out
        line = _line(workflow.id, question, said, plan, fact.cost)
        self._store(workflow.id, question, QuestionStage.ASKED, used, fact, line)
        self.stage.tell(self.address, Look())

    def _store_cut(self, id: str, number: int) -> None:
        found = self._question(id, number)
        if found is None:
            return
        fact = OrchestratorAnswered(
            address=addresses.workflow(id),
            question=number,
            error="the call was cut short by the end of the runtime",
            exact=False,
            cut=True,
        )
        self._store(id, found[2], QuestionStage.ASKED, found[2].reserved, fact)

    def _machine_refuses(self, fact: OrchestratorAnswered, plan: Plan, id: str) -> str:
        """Return why what is to be added to the plan cannot run here; "" if it can."""
        try:
            change = request_of(proposals.decode(fact.proposal), plan, id)
            if change is not None:
                self._worker.call(self._examine, change, plan, self.stage.paths.home)
        except msgspec.ValidationError:
            return ""  # the core says what is wrong with it
        except Refused as error:
            return error.body.message
        except WorkerDied as error:
            return f"the repository could not be examined: {error}"
        return ""

    def _question(self, id: str, number: int) -> tuple[Workflow, Plan, Question] | None:
        """Return a workflow, its plan and a question; None if the workflow was forgotten."""
        workflow = self.stage.reader.workflow(id)
        if workflow is None:
            return None
        question = next(q for q in workflow.questions if q.number == number)
        return workflow, self.stage.reader.plan(id), question

    def _store(
        self,
        id: str,
        question: Question,
        stage: QuestionStage,
        tokens: int,
        fact: OrchestratorAnswered,
        line: Sequence[Operation] = (),
    ) -> None:
        """Store the end of a question that is in `stage`, with the tokens that it used.

        `line` is its line in `usage`, if what it used is known. Nobody decides on a summary.
        """
        expect: QuestionColumns = {"stage": stage}
        new = QuestionStage.ANSWERED
        if question.sums_up:
            new = QuestionStage.UNANSWERED if fact.error else QuestionStage.OVER
        update = update_question(
            id, question.number, expect, stage=new, tokens=tokens, reserved=0, cut=fact.cut
        )
        self._commit([update, *line, fact])

    def _commit(self, change: list[Operation]) -> bool:
        """Store a change; return False if the question has moved on meanwhile."""
        try:
            self.stage.commit(self, change)
        except LostRace:
            return False
        return True


def _short(cause: Cause) -> str:
    """Return a cause for the fact; of a person's question also the words."""
    said = f": {cause.said}" if cause.kind == CauseKind.ASK else ""
    return f"{cause.kind} {cause.address}{said}"


def _line(
    id: str, question: Question, said: ThoughtOver, plan: Plan, cost: float | None
) -> list[Operation]:
    """Return the line of a question in `usage`; none if the servers did not tell all its tokens.

    It is the workflow's own: no terminal has used them.
    """
    if not said.exact:
        return []
    known, _ = models.of_orchestrator(plan)
    account = known[said.endpoint].account if said.endpoint < len(known) else models.OWN
    line = {
        "workflow": id,
        "task": "",
        "terminal": addresses.workflow(id),
        "incarnation": question.number,
        "account": account,
        "day": date.isoformat(clock.wall().astimezone().date()),
        "input": said.tokens_in,
        "output": said.tokens_out,
        "cached": 0,
        "requests": said.attempts,
        "cost": cost,
    }
    return [Insert("usage", line)]


def _cost(settings: Settings, said: ThoughtOver) -> float | None:
    """Return what a question cost by the plan's prices; None if it has none."""
    if settings.price_input is None or settings.price_output is None:
        return None
    used = said.tokens_in * settings.price_input + said.tokens_out * settings.price_output
    return used / 1_000_000
