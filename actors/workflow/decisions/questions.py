"""When the orchestrator is asked: only after something has happened, and within its budget.

Each event that a person would look at becomes a cause. One question of a workflow is open at a
time; what happens meanwhile is in the next one. Completion, landing, liveness and waiting are never
asked about: the same plan goes its way if every call fails.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from actors.workflow.decisions import merging
from actors.workflow.decisions.draft import Draft
from bus import facts, requests
from bus.facts import Fact, OrchestratorActed
from bus.kinds import CauseKind
from bus.questions import ESCALATE, Cause, Question
from bus.rows import Task, Terminal, Workflow
from bus.status import QuestionStage, TaskStatus, WorkflowStatus
from store.change import Insert, as_stored, question_key

_MOST_CAUSES = 20
"""Causes in one question; further ones are left out."""
_SAID = 400
"""Characters of a cause's text."""
ASKED_IN = (WorkflowStatus.RUNNING, WorkflowStatus.MERGING, WorkflowStatus.FAILED)
ASKED_BY_PERSON_IN = (*ASKED_IN, WorkflowStatus.PAUSED)
_SAME = "the same was asked before, and nothing has changed since"


def notice(event: Fact | requests.Command, before: Workflow, draft: Draft) -> None:
    """Put what `event` has caused, since the state `before`, into the next question."""
    if draft.plan.orchestrator is None:
        return
    add(draft, list(_causes(event, before, draft)))


def add(draft: Draft, causes: list[Cause]) -> None:
    """Put causes into the question that waits; begin one if there is none."""
    if not causes:
        return
    waiting = next((q for q in draft.workflow.questions if _waits(q)), None)
    if waiting is None:
        _insert(draft, causes[:_MOST_CAUSES])
        return
    all_causes = [*waiting.causes, *(c for c in causes if c not in waiting.causes)]
    draft.set_question(waiting, causes=all_causes[:_MOST_CAUSES])


def ask_alone(draft: Draft, cause: Cause) -> None:
    """Make a person's question, apart from what waits to be asked."""
    _insert(draft, [cause])


def open_next(draft: Draft) -> None:
    """Have the waiting question asked if none is open, the budget allows it, and it is new."""
    orchestrator, workflow = draft.plan.orchestrator, draft.workflow
    if orchestrator is None or any(q.is_open for q in workflow.questions):
        return
    question = next((q for q in workflow.questions if _waits(q) and _may_ask(q, workflow)), None)
    if question is None:
        return
    digest = _digest(question, workflow)
    if reason := spent(draft):
        told = any(q.refused == reason for q in workflow.questions)
        _to_person(draft, question, reason, silent=told)
    elif not question.of_person and any(
        q.stage == QuestionStage.OVER and q.digest == digest for q in workflow.questions
    ):
        _to_person(draft, question, _SAME)
    else:
        _want(draft, question)


def sum_up(draft: Draft) -> None:
    """Ask once how a workflow went that has just landed, if the budget allows it.

    What was to be asked before is not asked any more. Nothing waits for the answer.
    """
    if draft.plan.orchestrator is None:
        return
    for question in draft.workflow.questions:
        if question.stage in (QuestionStage.WAITING, QuestionStage.WANTED):
            over = "the workflow was over before it was asked"
            draft.set_question(question, stage=QuestionStage.UNANSWERED, reserved=0, refused=over)
    if not spent(draft):
        address, reason = draft.workflow.address, draft.workflow.reason
        _insert(draft, [_cause(CauseKind.SUMMARY, address, reason)])
        _want(draft, draft.workflow.questions[-1])


def _want(draft: Draft, question: Question) -> None:
    """Have the orchestrator's actor ask it, and reserve its tokens."""
    assert draft.plan.orchestrator is not None
    draft.set_question(
        question,
        stage=QuestionStage.WANTED,
        digest=_digest(question, draft.workflow),
        reserved=draft.plan.orchestrator.tokens.decision,
    )


def _may_ask(question: Question, workflow: Workflow) -> bool:
    return workflow.status in (ASKED_BY_PERSON_IN if question.of_person else ASKED_IN)


def _waits(question: Question) -> bool:
    return question.stage == QuestionStage.WAITING


def _insert(draft: Draft, causes: list[Cause]) -> None:
    number = len(draft.workflow.questions) + 1
    question = Question(number=number, stage=QuestionStage.WAITING, causes=causes)
    draft.workflow.questions.append(question)
    id = draft.workflow.id
    values = {"key": question_key(id, number), "workflow": id, "number": number}
    draft.operations.append(Insert("question", values | as_stored({"causes": causes})))


def spent(draft: Draft) -> str:
    """Return which limit of `[orchestrator]` is reached; "" if none is."""
    orchestrator, questions = draft.plan.orchestrator, draft.workflow.questions
    assert orchestrator is not None
    if sum(bool(q.at) for q in questions) >= orchestrator.max_calls:
        return f"max_calls = {orchestrator.max_calls} is reached"
    used = sum(q.tokens + q.reserved for q in questions)
    if used + orchestrator.tokens.decision > orchestrator.tokens.workflow:
        return f"tokens.workflow = {orchestrator.tokens.workflow} does not hold another question"
    return ""


def beyond_night(draft: Draft, question: Question) -> None:
    """Leave a question to a person that the night's budget does not hold; tell the first."""
    orchestrator = draft.plan.orchestrator
    assert orchestrator is not None
    reason = f"tokens.night = {orchestrator.tokens.night} does not hold another question"
    before = [q for q in draft.workflow.questions if q.number == question.number - 1]
    _to_person(draft, question, reason, silent=any(q.refused == reason for q in before))


def _to_person(draft: Draft, question: Question, reason: str, silent: bool = False) -> None:
    """Close a question that is not asked. Tell it, unless it is `silent`."""
    draft.set_question(question, stage=QuestionStage.UNANSWERED, refused=reason)
    if not silent:
        first = question.causes[0]
        said = f"{reason}: {first.kind} {first.address}"
        escalated(draft, question, {"action": ESCALATE, "text": said})
        draft.tell(
            OrchestratorActed(
                address=draft.workflow.address,
                question=question.number,
                action=ESCALATE,
                about=first.address,
                accepted=True,
                said=said,
            )
        )


def _digest(question: Question, workflow: Workflow) -> str:
    """Return what stands for the causes and the state.

    Instructions and restarts are no change of the state; commits, verdicts and statuses are.
    """
    asked = (CauseKind.PROMPT, CauseKind.NEXT, CauseKind.ASK)
    causes = sorted((c.kind, c.address, c.said if c.kind in asked else "") for c in question.causes)
    tasks = [(t.id, t.status, t.tip, t.rounds, t.repairs) for t in workflow.tasks]
    state = [causes, tasks, workflow.status, workflow.merge.stage]
    return hashlib.sha256(msgspec.json.encode(state)).hexdigest()


# ---- causes ------------------------------------------------------------------------------


def _causes(event: Fact | requests.Command, before: Workflow, draft: Draft) -> Iterator[Cause]:
    if isinstance(event, Fact):
        yield from _of_event(event, draft)
    old = {task.id: task for task in before.tasks}
    for task in draft.workflow.tasks:
        yield from _of_task(old.get(task.id), task)


def _of_event(event: Fact, draft: Draft) -> Iterator[Cause]:
    merge, status = draft.workflow.merge, draft.workflow.status
    match event:
        case facts.CommitSeen(next=said, problem="") if said and event.verdict:
            yield _cause(CauseKind.NEXT, event.address, said)
        case facts.TerminalIdle(missing=said) if _works(draft, event):
            yield _cause(CauseKind.IDLE, event.address, said)
        case facts.TerminalStalled() if _works(draft, event):
            yield _cause(CauseKind.STALLED, event.address)
        case facts.TerminalBlocked(text=said, dangerous=False) if _works(draft, event):
            yield _cause(CauseKind.PROMPT, event.address, said)
        case facts.MergeConflict() if merge.asks and merging.worker(draft) is None:
            if not any(t.wanted or t.live for t in draft.terminals() if not t.task):
                yield _cause(CauseKind.CONFLICT, event.address, ", ".join(event.files))
        case facts.MergeTested(passed=False) if status == WorkflowStatus.FAILED and merge.red:
            yield _cause(CauseKind.RED, event.address, draft.workflow.reason)
        case facts.MergeForecast() if event.files:
            said = f"{' and '.join(event.branches)}: {', '.join(event.files)}"
            yield _cause(CauseKind.OVERLAP, event.address, said)


def _works(
    draft: Draft, fact: facts.TerminalIdle | facts.TerminalStalled | facts.TerminalBlocked
) -> bool:
    terminal: Terminal | None = draft.find(fact.address)
    return terminal is not None and terminal.incarnation == fact.incarnation and terminal.works


def _of_task(old: Task | None, task: Task) -> Iterator[Cause]:
    if old is None:
        return
    if task.status == TaskStatus.FAILED != old.status:
        yield _cause(CauseKind.FAILED, task.address, task.reason)
    elif task.rounds > max(old.rounds, 1):
        yield _cause(CauseKind.REJECTED, task.address, task.issues)


def _cause(kind: CauseKind, address: str, said: str = "") -> Cause:
    return Cause(kind, address, said[:_SAID])


def closed(draft: Draft, question: Question, stage: QuestionStage, refused: str = "") -> None:
    """Close a question whose answer was decided on."""
    draft.set_question(question, stage=stage, refused=refused[:_SAID])


def kept(draft: Draft, question: Question, proposal: dict[str, Any]) -> None:
    """Close a person's question; its proposal waits for the person's word."""
    draft.set_question(question, stage=QuestionStage.OVER, proposal=proposal)


def escalated(draft: Draft, question: Question, proposal: dict[str, Any]) -> None:
    """Have a person decide what `proposal` says; it takes the place of what was to be decided."""
    acted_upon(draft)
    draft.set_question(question, proposal=proposal)


def acted_upon(draft: Draft) -> None:
    """Note that a person has acted on the workflow: what a person was to decide waits no more."""
    for question in draft.workflow.questions:
        if question.escalated:
            draft.set_question(question, proposal={})


def asked_again(draft: Draft, question: Question) -> None:
    """Ask once more what a call was to answer that was cut; a second cut leaves it to a person.

    A person who asked is told of the cut, and asks again.
    """
    if question.of_person:
        return
    before = next((q for q in draft.workflow.questions if q.number == question.number - 1), None)
    if before is None or not before.cut:
        add(draft, question.causes)


def find(draft: Draft, number: int) -> Question | None:
    """Return the question with this number whose answer is to be decided on; None if it is not."""
    found = (q for q in draft.workflow.questions if q.number == number)
    return next((q for q in found if q.stage == QuestionStage.ANSWERED), None)
