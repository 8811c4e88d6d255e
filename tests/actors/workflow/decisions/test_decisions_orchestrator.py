"""When the orchestrator is asked, and when it is not or does not answer.

Hazard 54.
"""

import pytest

from bus import facts, requests
from bus.commit_words import Meaning
from bus.kinds import CauseKind
from bus.plan_orchestrator import ThinkingCaps
from bus.status import QuestionStage, TerminalStatus, WorkflowStatus
from store.change import update_question
from tests.actors.workflow.decisions.decisions_mind import (
    answer,
    asked,
    mind,
    question,
    stops,
    thinking,
)
from tests.actors.workflow.decisions.decisions_scene import (
    PAUSE,
    RESUME,
    created,
    merging,
    observes,
    orders,
    running,
    says,
    told,
)

# ---- when it is asked --------------------------------------------------------------------


def test_without_an_orchestrator_nothing_is_ever_asked() -> None:
    world = running("coder")
    stops(world)
    assert world.state.questions == []


def test_a_course_without_trouble_asks_nothing_but_for_a_summary_when_it_has_landed() -> None:
    world = thinking("coder reviewer", "coder")
    says(world, "a", "review")
    says(world, "a", "done")
    says(world, "b", "done")
    world.finish(WorkflowStatus.MERGING)
    observes(world, "builds")
    observes(world, "tests green")
    assert world.state.questions == []
    observes(world, "lands")
    (row,) = world.state.questions
    assert (row.stage, row.reserved, row.sums_up) == (QuestionStage.WANTED, 40_000, True)
    assert [c.kind for c in row.causes] == [CauseKind.SUMMARY]
    world.think(row, {"action": "retry", "task": "demo/a/"})
    before = [*world.state.tasks]
    world.drain()
    assert world.state.tasks == before
    assert len(world.state.questions) == 1
    assert told(world, facts.OrchestratorActed) == []


def test_what_was_to_be_asked_is_not_asked_of_a_workflow_that_has_landed() -> None:
    world = thinking("coder")
    stops(world)
    world.commit("demo/a/", "done")
    world.drain()
    assert question(world).stage == QuestionStage.WANTED
    world.finish(WorkflowStatus.COMPLETED)
    first, second = world.state.questions
    assert (first.stage, first.reserved) == (QuestionStage.UNANSWERED, 0)
    assert (second.stage, second.sums_up) == (QuestionStage.WANTED, True)


@pytest.mark.parametrize("order", ["stop", "failure"])
def test_a_workflow_that_has_not_landed_is_not_summed_up(order: str) -> None:
    world = thinking("coder")
    if order == "stop":
        orders(world, requests.WorkflowStop(workflow="demo"))
    else:
        says(world, "a", "fail")
    assert not any(q.sums_up for q in world.state.questions)


def test_a_summary_that_the_budget_does_not_hold_is_not_asked_for() -> None:
    world = thinking("coder", max_calls=1)
    stops(world)
    answer(world, action="nothing")
    says(world, "a", "done")
    world.finish(WorkflowStatus.COMPLETED)
    assert len(world.state.questions) == 1


def test_one_that_has_stopped_is_asked_about_and_the_tokens_are_reserved() -> None:
    world = thinking("coder")
    stops(world)
    row = question(world)
    assert (row.stage, row.reserved) == (QuestionStage.WANTED, 40_000)
    assert [(c.kind, c.address, c.said) for c in row.causes] == [
        (CauseKind.IDLE, "demo/a/1/", "no commit")
    ]


def test_a_dangerous_prompt_and_a_late_fact_are_no_causes() -> None:
    world = thinking("coder")
    blocked = facts.TerminalBlocked(
        address="demo/a/1/", incarnation=1, prompt="x", text="rm -rf?", dangerous=True
    )
    late = facts.TerminalStalled(address="demo/a/1/", incarnation=0, seconds=1.0)
    world.store([blocked, late])
    world.drain()
    assert world.state.questions == []


def test_one_that_shows_nothing_new_is_a_cause() -> None:
    world = thinking("coder")
    world.store([facts.TerminalStalled(address="demo/a/1/", incarnation=1, seconds=1.0)])
    world.drain()
    (cause,) = question(world).causes
    assert (cause.kind, cause.address) == (CauseKind.STALLED, "demo/a/1/")


def test_a_question_on_a_screen_that_no_rule_answers_is_a_cause() -> None:
    world = thinking("coder")
    world.store([facts.TerminalBlocked(address="demo/a/1/", incarnation=1, prompt="unknown")])
    world.drain()
    assert question(world).causes[0].kind == CauseKind.PROMPT


def test_the_first_rejection_is_nothing_and_the_second_is_a_cause() -> None:
    world = thinking("coder reviewer")
    for expected in (0, 1):
        says(world, "a", "review")
        says(world, "a", "fail")
        assert len(world.state.questions) == expected
    assert question(world).causes[0].kind == CauseKind.REJECTED


def test_a_failed_task_and_red_tests_are_causes() -> None:
    world = thinking("coder")
    says(world, "a", "fail")
    assert [c.kind for c in question(world).causes] == [CauseKind.FAILED]
    world = merging("coder", orchestrator=mind())
    observes(world, "builds")
    observes(world, "tests red")
    assert [c.kind for c in question(world).causes] == [CauseKind.RED]


def test_a_conflict_without_a_merge_terminal_and_a_forecast_are_causes() -> None:
    world = merging("coder", "coder", orchestrator=mind())
    observes(world, "finds a conflict")
    assert [c.kind for c in question(world).causes] == [CauseKind.CONFLICT]
    world = thinking("coder", "coder")
    world.store([facts.MergeForecast(address="demo/", branches=["x", "y"], files=["f"])])
    world.drain()
    assert question(world).causes[0].said == "x and y: f"


def test_a_next_step_in_a_commit_that_counts_is_a_cause() -> None:
    world = thinking("coder", "coder")
    coder = world.find("demo/a/1/")
    seen = facts.CommitSeen(
        address="demo/a/",
        branch="feat/a",
        commit="c1",
        verdict=Meaning.DONE,
        next="write the docs",
    )
    assert coder.shall_run
    world.store([seen])
    world.drain()
    assert question(world).causes[0].said == "write the docs"


def test_what_happens_meanwhile_is_in_the_next_question() -> None:
    world = thinking("coder", "coder")
    stops(world)
    stops(world, "demo/b/1/")
    stops(world, "demo/b/1/")
    assert [q.stage for q in world.state.questions] == [
        QuestionStage.WANTED,
        QuestionStage.WAITING,
    ]
    first = question(world, 1)
    world.store([update_question("demo", first.number, stage=QuestionStage.ANSWERED)])
    world.store(
        [facts.OrchestratorAnswered(address="demo/", question=1, proposal={"action": "nothing"})]
    )
    world.drain()
    assert question(world, 2).stage == QuestionStage.WANTED
    assert [c.address for c in question(world, 2).causes] == ["demo/b/1/"]


def test_the_same_question_in_the_same_state_goes_to_a_person() -> None:
    world = thinking("coder")
    stops(world)
    answer(world, action="instruct", terminal="demo/a/1/", text="commit")
    stops(world)
    assert question(world).stage == QuestionStage.UNANSWERED
    acted = told(world, facts.OrchestratorActed)[-1]
    assert (acted.action, acted.about) == ("escalate", "demo/a/1/")
    assert "nothing has changed" in acted.said
    assert question(world).escalated
    assert question(world).proposal["text"] == acted.said


def test_while_it_is_paused_nothing_is_asked_and_then_it_is() -> None:
    world = thinking("coder")
    orders(world, PAUSE)
    stops(world)
    assert question(world).stage == QuestionStage.WAITING
    orders(world, RESUME)
    assert question(world).stage == QuestionStage.WANTED


# ---- budgets -----------------------------------------------------------------------------


def test_past_max_calls_there_is_silence_and_a_person_is_told_once() -> None:
    world = thinking("coder", "coder", max_calls=1)
    stops(world)
    answer(world, action="nothing")
    for _ in range(3):
        stops(world, "demo/b/1/")
    said = [f.said for f in told(world, facts.OrchestratorActed) if f.action == "escalate"]
    assert len(said) == 1
    assert said[0].startswith("max_calls = 1 is reached")
    assert not any(q.is_open for q in world.state.questions)


@pytest.mark.parametrize(("used", "stage"), [(9_000, "wanted"), (9_001, "unanswered")])
def test_a_question_that_the_workflows_tokens_do_not_hold_is_not_asked(
    used: int, stage: str
) -> None:
    caps = ThinkingCaps(decision=1_000, workflow=10_000, night=10_000)
    world = thinking("coder", "coder", tokens=caps)
    stops(world)
    answer(world, tokens=used, action="nothing")
    stops(world, "demo/b/1/")
    assert question(world).stage == stage


def test_past_the_nights_tokens_there_is_silence_and_a_person_is_told_once() -> None:
    world = thinking("coder", "coder")
    for _ in range(3):
        stops(world)
        answer(world, tokens=0, error="tokens.night: all were used", spent=True)
    said = [f.said for f in told(world, facts.OrchestratorActed)]
    assert said == ["tokens.night = 3000000 does not hold another question: idle demo/a/1/"]
    assert [q.escalated for q in world.state.questions] == [True, False, False]


def test_a_night_after_one_in_which_it_was_asked_is_told_again() -> None:
    world = thinking("coder", "coder")
    for said in ({"error": "spent", "spent": True}, {"action": "nothing"}):
        stops(world, missing=str(said))
        answer(world, tokens=0, **said)
    stops(world, "demo/b/1/")
    acted = answer(world, tokens=0, error="spent", spent=True)
    assert acted is not None
    assert acted.said.startswith("tokens.night")


def test_what_else_is_not_answered_asks_no_person() -> None:
    world = thinking("coder")
    stops(world)
    assert answer(world, error="503") is None
    assert not question(world).escalated


# ---- when it does not answer -------------------------------------------------------------


def test_a_call_that_failed_is_over_and_the_plan_goes_on() -> None:
    world = thinking("coder")
    stops(world)
    assert answer(world, error="503") is None
    assert question(world).stage == QuestionStage.UNANSWERED
    says(world, "a", "done")
    world.finish(WorkflowStatus.COMPLETED)


def test_a_call_that_was_cut_is_asked_once_more_and_not_twice() -> None:
    world = thinking("coder")
    stops(world)
    for number, tokens in ((1, 40_000), (2, 40_000)):
        assert question(world).number == number
        answer(world, tokens=tokens, error="cut", cut=True)
    assert [q.stage for q in world.state.questions] == [QuestionStage.UNANSWERED] * 2
    assert sum(q.tokens for q in world.state.questions) == 80_000


def test_an_answer_that_is_told_twice_is_carried_out_once() -> None:
    world = thinking("coder")
    stops(world)
    answer(world, action="instruct", terminal="demo/a/1/", text="x")
    step = world.find("demo/a/1/").step
    again = facts.OrchestratorAnswered(
        address="demo/",
        question=1,
        proposal={"action": "instruct", "terminal": "demo/a/1/", "text": "x"},
    )
    world.store([again])
    world.drain()
    assert world.find("demo/a/1/").step == step


def test_a_workflow_that_is_over_hears_no_answer() -> None:
    world = thinking("coder")
    stops(world)
    asked(world)
    orders(world, requests.WorkflowStop(workflow="demo"))
    assert answer(world, action="retry", task="demo/a/") is None
    assert created("coder").state.questions == []
    assert world.find("demo/a/1/").status == TerminalStatus.CANCELLED
