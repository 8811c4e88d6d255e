"""What becomes of an answer of the orchestrator: the request that a person would send, or nothing.

The plan says which actions are allowed, and the request is checked like a person's. What is refused
is told to the model once, with its next question.
"""

import msgspec

from actors.workflow.decisions import commands, limits, outcomes, questions
from actors.workflow.decisions.draft import Draft
from bus import address as addresses
from bus import plan_requests, proposals, requests
from bus.action import Action, Do
from bus.errors import illegal, unknown
from bus.facts import OrchestratorActed, OrchestratorAnswered
from bus.plan import Plan
from bus.proposals import Proposal
from bus.questions import Question
from bus.reasons import Reason
from bus.rows import Task, Terminal
from bus.status import QuestionStage, TaskStatus, WorkflowStatus

BRANCHES = "callboard/"
"""The branch of a task that the orchestrator adds is this and the task's id."""


def answered(fact: OrchestratorAnswered, draft: Draft) -> None:
    """Carry out what was proposed, if it is allowed, and close the question."""
    question = questions.find(draft, fact.question)
    if question is None or draft.plan.orchestrator is None:
        return
    if fact.error or not fact.proposal:
        questions.closed(draft, question, QuestionStage.UNANSWERED)
        if fact.spent and not question.of_person and not question.sums_up:
            questions.beyond_night(draft, question)
        elif fact.cut:
            questions.asked_again(draft, question)
        return
    try:
        proposal = proposals.decode(fact.proposal)
    except msgspec.ValidationError as error:
        _close(draft, fact, "", f"it is no action: {error}")
        return
    where = about(proposal, draft.workflow.id)
    refused = fact.refused or _forbidden(draft, proposal)
    if question.of_person and not refused and _kind(proposal) not in proposals.ALWAYS:
        questions.kept(draft, question, fact.proposal)
        return
    _close(draft, fact, where, refused or _attempted(draft, proposal), proposal)


def accepted(question: Question, draft: Draft) -> None:
    """Carry out what waits for a person's word, as a request of the person who says so.

    Raise `Refused` if the state does not allow it any more; then it still waits.
    """
    proposal = proposals.decode(question.proposal)
    refused = draft.attempt(lambda: carry_out(proposal, draft))
    if refused is not None:
        raise refused
    draft.set_question(question, proposal={})
    where = about(proposal, draft.workflow.id)
    draft.tell(_acted(draft, question.number, _kind(proposal), where, "", proposal))


def _kind(proposal: Proposal) -> str:
    return str(proposal.__struct_config__.tag)


def _forbidden(draft: Draft, proposal: Proposal) -> str:
    """Return why the plan does not allow a proposal of this kind; "" if it does."""
    kind, orchestrator = _kind(proposal), draft.plan.orchestrator
    assert orchestrator is not None
    if kind in (*orchestrator.may, *proposals.ALWAYS):
        return ""
    return f"[orchestrator] may = {list(orchestrator.may)} does not allow {kind!r}"


def _attempted(draft: Draft, proposal: Proposal) -> str:
    """Carry a proposal out; return why it is refused, or ""."""
    refused = draft.attempt(lambda: carry_out(proposal, draft))
    return refused.body.message if refused is not None else ""


def _close(
    draft: Draft,
    fact: OrchestratorAnswered,
    where: str,
    refused: str,
    proposal: Proposal | None = None,
) -> None:
    question = questions.find(draft, fact.question)
    assert question is not None
    questions.closed(draft, question, QuestionStage.OVER, refused)
    if isinstance(proposal, proposals.Escalate) and not question.of_person:
        questions.escalated(draft, question, fact.proposal)
    action = str(fact.proposal.get("action", ""))[:40]
    draft.tell(_acted(draft, fact.question, action, where, refused, proposal))


def _acted(
    draft: Draft, number: int, action: str, where: str, refused: str, proposal: Proposal | None
) -> OrchestratorActed:
    """Return the fact of what became of the answer to the question with this number."""
    said, choices = refused, []
    if isinstance(proposal, proposals.Escalate):
        said, choices = proposal.text, proposal.choices
    elif isinstance(proposal, proposals.AnswerPrompt) and not refused:
        choices = [proposal.choice]
    return OrchestratorActed(
        address=draft.workflow.address,
        question=number,
        action=action,
        about=where,
        accepted=not refused,
        said=said or (proposal.reason if proposal is not None else ""),
        choices=choices,
        by=draft.caller.by,
        peer=draft.caller.peer,
    )


def about(proposal: Proposal, workflow: str) -> str:
    """Return the address of the terminal or the task that a proposal names; "" for none."""
    match proposal:
        case (
            proposals.Instruct(terminal=where)
            | proposals.AnswerPrompt(terminal=where)
            | proposals.UseProvider(terminal=where)
        ):
            return _whole(where, workflow, 3)
        case (
            proposals.AddTerminal(task=where)
            | proposals.SendBack(task=where)
            | proposals.Retry(task=where)
            | proposals.Blame(task=where)
        ):
            return _whole(where, workflow, 2)
    return ""


def _whole(name: str, workflow: str, parts: int) -> str:
    """Return an address of so many parts, to which the workflow's id may be missing."""
    words = name.strip("/").split("/")
    return "/".join([workflow, *words] if len(words) == parts - 1 else words) + "/"


def request_of(proposal: Proposal, plan: Plan, workflow: str) -> plan_requests.PlanChange | None:
    """Return the change of the plan that a proposal asks for, in a workflow with this id.

    None for a proposal that changes no plan. The programs and fences of what is added are those of
    terminals that the plan has. Raise `Refused` if the plan has no such task or terminal.
    """
    match proposal:
        case proposals.AddTask():
            terminal = _like(plan, proposal.terminal)
            terminal["instruction"] = proposal.text
            task = {
                "id": proposal.task,
                "branch": f"{BRANCHES}{proposal.task}",
                "after": [_task_id(each) for each in proposal.after],
                "terminal": [terminal],
            }
            return plan_requests.TaskAdd(workflow=workflow, task=task)
        case proposals.AddTerminal():
            where = about(proposal, workflow)
            terminal = _like(plan, f"{where}{_last(plan, where)}/")
            terminal |= {"instruction": proposal.text, "role": str(proposal.role)}
            return plan_requests.TerminalAdd(task=where, terminal=terminal)
    return None


def _task_id(where: str) -> str:
    """Return the id in a task's address; an id stays as it is."""
    return where.rstrip("/").rpartition("/")[2]


def _last(plan: Plan, task: str) -> int:
    found = next((t for t in plan.task if t.id == _task_id(task)), None)
    if found is None:
        raise unknown("task", task)
    return len(found.terminal)


def _like(plan: Plan, where: str) -> dict[str, object]:
    """Return the keys of a terminal of the plan that say what its program is and may."""
    found = plan.task[0].terminal[0]
    if where:
        id, _, place = addresses.normal(where).rstrip("/").removeprefix("/").rpartition("/")
        task = next((t for t in plan.task if t.id == _task_id(id)), None)
        if task is None or not place.isdecimal() or not 1 <= int(place) <= len(task.terminal):
            raise unknown("terminal of the plan", where)
        found = task.terminal[int(place) - 1]
    keys: dict[str, object] = msgspec.to_builtins(found)
    for name in ("instruction", "instruction_file", "role", "timeout"):
        keys.pop(name, None)
    return keys


def carry_out(proposal: Proposal, draft: Draft) -> None:
    """Apply a proposal as the request that a person would send. Raise `Refused`."""
    change = request_of(proposal, draft.plan, draft.workflow.id)
    if change is not None:
        commands.command(change, draft)
        return
    where = about(proposal, draft.workflow.id)
    match proposal:
        case proposals.Instruct():
            _instruct(where, proposal.text, draft)
        case proposals.SendBack():
            commands.command(requests.TaskReject(task=where, reason=proposal.text), draft)
        case proposals.Retry():
            commands.command(requests.TaskRetry(task=where), draft)
        case proposals.UseProvider():
            limits.use_provider(where, proposal.provider, draft)
        case proposals.AnswerPrompt():
            _require_prompt(where, draft)
        case proposals.Blame():
            _blame(commands.task_of_order(draft, where), proposal.text, draft)


def _instruct(where: str, said: str, draft: Draft) -> None:
    """Give a terminal a further instruction, or another one before it has begun.

    One whose last instruction is not typed yet gets both in one text.
    """
    terminal = draft.find(where)
    if terminal is None:
        raise unknown("terminal", where)
    if not terminal.works:
        order = plan_requests.InstructionReplace(terminal=where, instruction=said)
        commands.command(order, draft)
    elif terminal.sent < terminal.step:
        text = f"{terminal.instruction}\n\n{said}"
        outcomes.tell_worker(draft, terminal, text, terminal.rejections)
    else:
        commands.command(requests.TerminalSend(terminal=where, text=said), draft)


def _require_prompt(where: str, draft: Draft) -> None:
    """Refuse an answer to a terminal that asks nothing; its actor looks at the screen again."""
    terminal: Terminal | None = draft.find(where)
    if terminal is None:
        raise unknown("terminal", where)
    if not terminal.blocked or not terminal.shall_run:
        raise illegal(
            Reason.NOT_BLOCKED,
            f"{where} asks nothing now",
            actions=[Action(Do.WHY, where)],
        )


def _blame(task: Task, issues: str, draft: Draft) -> None:
    """Send a completed task back to its coder, because its branch makes the merged tree red."""
    workflow = draft.workflow
    red = workflow.status == WorkflowStatus.FAILED and workflow.merge.red
    if not red or task.status != TaskStatus.COMPLETED:
        raise illegal(
            Reason.NOTHING_TO_REPAIR,
            f"{task.address} is {task.status}, and the tests of {workflow.address} "
            + ("failed" if red else "did not fail"),
            actions=[Action(Do.WHY, task.address)],
        )
    evidence = f"{issues}\n\nThe tests of the merged tree failed:\n{workflow.merge.problem}"
    draft.set_merge(resolution="", repaired="", commit="", runs=0, tested=False)
    draft.move_workflow(WorkflowStatus.RUNNING, f"{task.address} is sent back: the tests are red")
    outcomes.reopen(draft, task, task.tip, "its branch makes the merged tree red")
    outcomes.send_back(draft, task, None, evidence)
