"""A person's question to the orchestrator, and the person's word on the proposal."""

from typing import Any

import msgspec
import pytest

from bus import facts
from bus.errors import Refused
from bus.kinds import CauseKind
from bus.orchestrator_requests import OrchestratorAccept, OrchestratorAsk
from bus.peer import By, Caller
from bus.requests import WorkflowPause, WorkflowResume, WorkflowStop
from bus.status import QuestionStage, TaskStatus
from store.change import update_question
from tests.actors.workflow.decisions.decisions_mind import (
    answer,
    asked,
    question,
    stops,
    thinking,
)
from tests.actors.workflow.decisions.decisions_scene import orders, running, says, told
from tests.actors.workflow.decisions.decisions_world import World

PERSON = Caller(By.PERSON, "uid=1")
ASK = OrchestratorAsk(workflow="demo", text="what next?")


def accept(number: int = 1) -> OrchestratorAccept:
    return OrchestratorAccept(workflow="demo", question=number)


def refused(world: World, order: Any) -> str:
    with pytest.raises(Refused) as error:
        world.decide(order)
    return error.value.body.reason


def test_a_question_is_asked_at_once_and_its_tokens_are_reserved() -> None:
    world = thinking("coder")
    orders(world, ASK)
    row = question(world)
    assert (row.stage, row.reserved, row.of_person) == (QuestionStage.WANTED, 40_000, True)
    assert [(c.kind, c.said) for c in row.causes] == [(CauseKind.ASK, "what next?")]


def test_it_is_refused_without_a_model_while_one_is_open_and_where_nothing_is_asked() -> None:
    assert refused(running("coder"), ASK) == "no_orchestrator"
    world = thinking("coder")
    orders(world, ASK)
    assert refused(world, ASK) == "question_open"
    over = thinking("coder")
    orders(over, WorkflowStop(workflow="demo"))
    assert refused(over, ASK) == "not_running"


def test_a_person_may_ask_while_it_is_paused_and_what_happened_waits_for_its_end() -> None:
    world = thinking("coder", "coder")
    orders(world, WorkflowPause(workflow="demo"))
    stops(world, "demo/b/1/")
    assert [q.stage for q in world.state.questions] == [QuestionStage.WAITING]
    orders(world, ASK)
    assert [(q.stage, q.of_person) for q in world.state.questions] == [
        (QuestionStage.WAITING, False),
        (QuestionStage.WANTED, True),
    ]
    answer(world, action="nothing")
    assert question(world, 1).stage == QuestionStage.WAITING
    orders(world, WorkflowResume(workflow="demo"))
    assert question(world, 1).stage == QuestionStage.WANTED


def test_it_counts_against_the_budget() -> None:
    world = thinking("coder", max_calls=1)
    orders(world, ASK)
    answer(world, action="nothing")
    assert refused(world, ASK) == "budget_spent"
    assert len(world.state.questions) == 1


def test_the_same_question_in_the_same_state_is_asked_again() -> None:
    world = thinking("coder")
    for number in (1, 2):
        orders(world, ASK)
        assert question(world).stage == QuestionStage.WANTED
        answer(world, action="nothing")
        assert question(world).number == number


def test_a_proposal_waits_for_the_person_and_is_the_persons_then() -> None:
    world = thinking("coder")
    says(world, "a", "fail")
    answer(world, action="nothing")
    orders(world, ASK)
    acted = answer(world, action="retry", task="demo/a/", reason="it may pass")
    assert acted is None
    assert world.task("a").status == TaskStatus.FAILED
    assert question(world).proposal["action"] == "retry"
    world.caller = PERSON
    orders(world, accept(2))
    assert world.task("a").status == TaskStatus.RUNNING
    (fact,) = [f for f in told(world, facts.OrchestratorActed) if f.question == 2]
    assert (fact.action, fact.about, fact.accepted) == ("retry", "demo/a/", True)
    assert (fact.by, fact.peer) == (By.PERSON, "uid=1")
    moved = [f for f in told(world, facts.TaskMoved) if f.new == TaskStatus.RUNNING][-1]
    assert (moved.by, moved.reason) == (By.PERSON, "asked by a person")
    assert refused(world, accept(2)) == "no_proposal"


def test_what_the_state_does_not_allow_any_more_is_refused_and_still_waits() -> None:
    world = thinking("coder", "coder")
    orders(world, ASK)
    answer(world, action="send_back", task="demo/a/", text="no tests")
    assert refused(world, accept()) == "not_review_pending"
    says(world, "a", "review")
    orders(world, accept())
    assert "no tests" in world.task("a").issues


def test_what_the_plan_does_not_allow_does_not_wait() -> None:
    world = thinking("coder", may=[])
    orders(world, ASK)
    acted = answer(world, action="instruct", terminal="demo/a/1/", text="x")
    assert acted is not None
    assert not acted.accepted
    assert question(world).proposal == {}
    assert refused(world, accept()) == "no_proposal"
    assert refused(world, accept(7)) == "unknown"


def test_no_answer_to_a_person_acts_by_itself() -> None:
    world = thinking("coder")
    orders(world, ASK)
    acted = answer(world, action="escalate", text="which port?", choices=["80"])
    assert acted is not None
    assert (acted.accepted, acted.by, acted.choices) == (True, By.ORCHESTRATOR, ["80"])
    assert not question(world).escalated


def test_what_happens_meanwhile_is_asked_alone_and_carried_out_by_itself() -> None:
    world = thinking("coder", "coder")
    orders(world, ASK)
    stops(world, "demo/b/1/")
    assert [q.stage for q in world.state.questions] == [QuestionStage.WANTED, QuestionStage.WAITING]
    _answered(world, 1)
    assert question(world, 1).proposal != {}
    acted = answer(world, action="instruct", terminal="demo/b/1/", text="run make")
    assert acted is not None
    assert (acted.question, acted.accepted, acted.by) == (2, True, By.ORCHESTRATOR)


def _answered(world: World, number: int) -> None:
    change: Any = {"stage": QuestionStage.ANSWERED, "reserved": 0}
    said = {"action": "instruct", "terminal": "demo/a/1/", "text": "x"}
    fact = facts.OrchestratorAnswered(address="demo/", question=number, proposal=said)
    world.store([update_question("demo", number, **change), fact])
    world.drain()


def test_a_call_that_was_cut_is_not_asked_again_for_a_person() -> None:
    world = thinking("coder")
    orders(world, ASK)
    asked(world)
    answer(world, error="cut", cut=True)
    assert [q.stage for q in world.state.questions] == [QuestionStage.UNANSWERED]


@pytest.mark.parametrize("text", ["", " \n", "x" * 2_001])
def test_a_text_is_bounded_and_not_blank(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": "orchestrator.ask", "workflow": "demo", "text": text},
                        OrchestratorAsk)  # fmt: skip
