"""A person's question to the orchestrator, and the person's word on what the model proposes.

A person's question is one more cause: it counts against the budget, and is asked alone. The
proposal is kept in the question's row, and carried out when a person accepts it.
"""

from actors.workflow.decisions import proposals, questions
from actors.workflow.decisions.commands import command
from actors.workflow.decisions.draft import Draft
from bus.action import Action, Do
from bus.errors import illegal, unknown
from bus.kinds import CauseKind
from bus.orchestrator_requests import OrchestratorAccept, OrchestratorAsk
from bus.questions import Cause
from bus.reasons import Reason


@command.register
def _ask(order: OrchestratorAsk, draft: Draft) -> None:
    workflow = draft.workflow
    where, why = workflow.address, [Action(Do.WHY, workflow.address)]
    if draft.plan.orchestrator is None:
        raise illegal(
            Reason.NO_ORCHESTRATOR,
            f"the plan of {where} has no [orchestrator], so there is no model to ask",
            actions=why,
        )
    if workflow.status not in questions.ASKED_BY_PERSON_IN:
        words = " or ".join(questions.ASKED_BY_PERSON_IN)
        said = f"{where} is {workflow.status}; a model is asked while a workflow is {words}"
        raise illegal(Reason.NOT_RUNNING, said, actions=why)
    asked = next((q for q in workflow.questions if q.is_open), None)
    if asked is not None:
        said = f"question {asked.number} of {where} is open; ask when it is answered"
        raise illegal(Reason.QUESTION_OPEN, said, actions=why)
    if reason := questions.spent(draft):
        raise illegal(Reason.BUDGET_SPENT, f"{where} asks no more: {reason}", actions=why)
    questions.ask_alone(draft, Cause(CauseKind.ASK, where, order.text))


@command.register
def _accept(order: OrchestratorAccept, draft: Draft) -> None:
    where = draft.workflow.address
    question = next((q for q in draft.workflow.questions if q.number == order.question), None)
    if question is None:
        actions = [Action(Do.WHY, where)]
        raise unknown("question", f"{draft.workflow.id}/{order.question}", actions=actions)
    if not question.proposal:
        raise illegal(
            Reason.NO_PROPOSAL,
            f"question {question.number} of {where} has no proposal that waits for a person",
            actions=[Action(Do.WHY, where)],
        )
    proposals.accepted(question, draft)
