"""When the orchestrator is asked, what becomes of its answers, and what it never can do.

Hazard 54.
"""

from functools import partial
from typing import Any

import pytest

from actors.workflow.decisions import limits
from actors.workflow.decisions.draft import Draft
from bus import facts, requests
from bus.commit_words import Meaning
from bus.errors import illegal
from bus.kinds import CauseKind
from bus.peer import By
from bus.plan_orchestrator import Orchestrator, ThinkingCaps
from bus.reasons import Reason
from bus.rows import Question
from bus.status import QuestionStage, TaskStatus, TerminalStatus, WorkflowStatus
from store.change import update_question
from tests.actors.workflow.decisions.decisions_scene import (
    PAUSE,
    RESUME,
    created,
    merging,
    observes,
    orders,
    plan,
    running,
    says,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World

ALL = [
    "instruct",
    "add_task",
    "add_terminal",
    "send_back",
    "answer",
    "retry",
    "use_provider",
    "blame",
]


def mind(**settings: Any) -> Orchestrator:
    return Orchestrator(api_type="openai", model="m", **{"may": ALL, **settings})


def thinking(*lines: str, **settings: Any) -> World:
    """A workflow at work that has an orchestrator."""
    return running(*lines, orchestrator=mind(**settings))


def question(world: World, number: int = 0) -> Question:
    """The question with this number; the newest with 0."""
    return world.state.questions[number - 1]


def stops(world: World, where: str = "demo/a/1/", missing: str = "no commit") -> None:
    """A terminal has used up its nudges."""
    terminal = world.find(where)
    fact = facts.TerminalIdle(
        address=where, incarnation=terminal.incarnation, step=terminal.step, missing=missing
    )
    world.store([fact])
    world.drain()


def asked(world: World) -> Question:
    """The orchestrator's actor has asked the newest question."""
    row = question(world)
    expect: Any = {"stage": QuestionStage.WANTED}
    world.store([update_question("demo", row.number, expect, stage=QuestionStage.ASKED, at="2026")])
    return question(world)


def answer(world: World, tokens: int = 100, **said: Any) -> facts.OrchestratorActed | None:
    """The newest question is asked and answered; return what became of that."""
    row = question(world)
    if row.stage == QuestionStage.WANTED:
        row = asked(world)
    keys = ("refused", "error", "cut")
    fact = facts.OrchestratorAnswered(
        address="demo/",
        question=row.number,
        proposal={k: v for k, v in said.items() if k not in keys},
        **{k: v for k, v in said.items() if k in keys},
    )
    change: Any = {"stage": QuestionStage.ANSWERED, "tokens": tokens, "reserved": 0}
    world.store([update_question("demo", row.number, cut=bool(said.get("cut")), **change), fact])
    world.settle(merger=False)
    found = [f for f in told(world, facts.OrchestratorActed) if f.question == row.number]
    return found[-1] if found else None


# ---- when it is asked --------------------------------------------------------------------


def test_without_an_orchestrator_nothing_is_ever_asked() -> None:
    world = running("coder")
    stops(world)
    assert world.state.questions == []


def test_a_course_without_trouble_asks_nothing() -> None:
    world = thinking("coder reviewer", "coder")
    says(world, "a", "review")
    says(world, "a", "done")
    says(world, "b", "done")
    world.finish(WorkflowStatus.COMPLETED)
    assert world.state.questions == []


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


# ---- answers -----------------------------------------------------------------------------


def test_an_instruction_is_typed_in_the_orchestrators_name() -> None:
    world = thinking("coder")
    step = world.find("demo/a/1/").step
    stops(world)
    acted = answer(world, action="instruct", terminal="a/1", text="run make", reason="r")
    coder = world.find("demo/a/1/")
    assert acted is not None
    assert acted.accepted
    assert (coder.step, coder.instruction.endswith("run make")) == (step + 1, True)
    assert question(world).stage == QuestionStage.OVER


def test_one_that_was_not_typed_yet_is_not_lost_with_a_further_one() -> None:
    world = thinking("coder")
    first = world.find("demo/a/1/").instruction
    assert world.find("demo/a/1/").sent == 0
    stops(world)
    answer(world, action="instruct", terminal="demo/a/1/", text="run make")
    assert world.find("demo/a/1/").instruction == f"{first}\n\nrun make"


def test_one_that_has_not_begun_gets_another_instruction() -> None:
    world = thinking("coder coder")
    stops(world)
    answer(world, action="instruct", terminal="demo/a/2/", text="only the tests")
    assert world.plan.task[0].terminal[1].instruction == "only the tests"
    (fact,) = told(world, facts.InstructionReplaced)
    assert fact.by == By.ORCHESTRATOR


def test_an_added_task_has_the_program_and_the_fences_of_the_plan() -> None:
    settings = plan("coder", orchestrator=mind(), sandbox_allow=[])
    settings.task[0].terminal[0].sandbox = "worktree"
    settings.task[0].terminal[0].provider = "glm"
    settings.task[0].terminal[0].timeout = 5.0
    world = World(settings)
    world.finish(WorkflowStatus.RUNNING)
    world.settle(merger=False)
    stops(world)
    acted = answer(world, action="add_task", task="docs", text="write docs", after=["demo/a/"])
    assert acted is not None
    assert acted.accepted, acted.said
    added = world.plan.task[-1]
    assert (added.id, added.branch, added.after) == ("docs", "callboard/docs", ["a"])
    terminal = added.terminal[0]
    assert (terminal.sandbox, terminal.provider, terminal.timeout) == ("worktree", "glm", None)


def test_a_terminal_is_added_at_the_end_of_a_line() -> None:
    world = thinking("coder")
    stops(world)
    acted = answer(world, action="add_terminal", task="a", text="judge it", role="reviewer")
    assert acted is not None
    assert acted.accepted, acted.said
    assert [t.name for t in world.task("a").line] == ["1", "2"]


def test_a_failed_task_is_tried_again() -> None:
    world = thinking("coder")
    says(world, "a", "fail")
    acted = answer(world, action="retry", task="demo/a/")
    assert acted is not None
    assert acted.accepted
    assert world.task("a").status == TaskStatus.RUNNING
    moved = [f for f in told(world, facts.TaskMoved) if f.by == By.ORCHESTRATOR]
    assert moved[0].reason == "asked by the orchestrator"


def test_a_terminal_goes_on_with_another_provider_of_its_fallback() -> None:
    settings = plan("coder", orchestrator=mind())
    settings.task[0].terminal[0].fallback = ["glm", "kimi", "local"]
    world = World(settings)
    world.finish(WorkflowStatus.RUNNING)
    world.settle(merger=False)
    stops(world)
    acted = answer(world, action="use_provider", terminal="demo/a/1/", provider="kimi")
    assert acted is not None
    assert acted.accepted, acted.said
    terminal = world.find("demo/a/1/")
    assert (terminal.incarnation, terminal.fallbacks) == (2, 2)
    moved = [f for f in told(world, facts.TerminalMoved) if f.new == TerminalStatus.FAILED][-1]
    assert moved.by == By.ORCHESTRATOR
    assert moved.reason == "asked by the orchestrator; it goes on with the provider kimi"
    for name, taken in (("glm", False), ("kimi", False), ("other", False), ("local", True)):
        draft = Draft(world.state, world.plan, token="", now="", clock=0.0)
        refused = draft.attempt(partial(limits.use_provider, "demo/a/1/", name, draft))
        assert (refused is None) is taken, name


def test_a_review_is_sent_back() -> None:
    world = thinking("coder", "coder")
    stops(world, "demo/b/1/")
    asked(world)
    says(world, "a", "review")
    acted = answer(world, action="send_back", task="demo/a/", text="no tests")
    assert acted is not None
    assert acted.accepted
    assert "no tests" in world.task("a").issues


def test_the_branch_that_made_the_tests_red_goes_back_to_its_coder() -> None:
    world = merging("coder", "coder", orchestrator=mind())
    observes(world, "builds")
    observes(world, "tests red")
    assert world.status() == WorkflowStatus.FAILED
    acted = answer(world, action="blame", task="demo/b/", text="b broke it")
    assert acted is not None
    assert acted.accepted, acted.said
    assert world.status() == WorkflowStatus.RUNNING
    assert world.task("a").status == TaskStatus.COMPLETED
    assert world.task("b").status == TaskStatus.RUNNING
    assert "b broke it" in world.find("demo/b/1/").instruction
    world.finish(WorkflowStatus.COMPLETED)


def test_nobody_is_blamed_while_no_test_is_red() -> None:
    world = thinking("coder", "coder")
    says(world, "a", "done")
    stops(world, "demo/b/1/")
    acted = answer(world, action="blame", task="demo/a/", text="x")
    assert acted is not None
    assert not acted.accepted
    assert world.task("a").status == TaskStatus.COMPLETED


def test_a_question_to_a_person_is_told_with_its_choices() -> None:
    world = thinking("coder")
    stops(world)
    acted = answer(world, action="escalate", text="which port?", choices=["80", "81"])
    assert acted is not None
    assert (acted.said, acted.choices) == ("which port?", ["80", "81"])


def test_a_prompt_is_answered_only_while_it_is_there() -> None:
    world = thinking("coder")
    stops(world)
    acted = answer(world, action="answer", terminal="demo/a/1/", choice="Yes")
    assert acted is not None
    assert not acted.accepted


@pytest.mark.parametrize("action", ALL)
def test_what_the_plan_does_not_allow_is_refused_and_told_once(action: str) -> None:
    world = thinking("coder", "coder", may=[])
    stops(world)
    before = [(t.status, t.instruction) for t in world.state.terminals()]
    task = "new" if action == "add_task" else "demo/a/"
    said: Any = {"terminal": "demo/a/1/", "task": task, "text": "x", "choice": "x", "provider": "x"}
    acted = answer(world, action=action, **said)
    assert acted is not None
    assert not acted.accepted
    assert repr(action) in acted.said
    assert [(t.status, t.instruction) for t in world.state.terminals()] == before
    assert question(world).refused == acted.said
    stops(world, "demo/b/1/")
    answer(world, action="nothing")
    assert question(world).refused == ""


FORBIDDEN = [
    {"action": name, "task": "demo/a/", "terminal": "demo/a/1/", "text": "x"}
    for name in (
        "approve", "complete", "merge", "land", "delete", "clean", "forget", "stop", "set",
        "plan.set", "task.approve", "merge.continue", "runtime.stop", "cancel", "", "INSTRUCT",
    )
]  # fmt: skip
WRONG = [
    {"action": "instruct", "terminal": "other/a/1/", "text": "x"},
    {"action": "instruct", "terminal": "../../a/1/", "text": "x"},
    {"action": "instruct", "terminal": "demo/a/1/", "text": "   "},
    {"action": "add_task", "task": "merge", "text": "x"},
    {"action": "add_task", "task": "a", "text": "x"},
    {"action": "add_task", "task": "../x", "text": "x"},
    {"action": "add_task", "task": "n", "text": "x", "after": ["nowhere"]},
    {"action": "add_task", "task": "n", "text": "x", "terminal": "demo/z/9/"},
    {"action": "add_task", "task": "n", "text": "x", "after": "a"},
    {"action": "add_terminal", "task": "demo/z/", "text": "x"},
    {"action": "add_terminal", "task": "demo/a/", "text": "x", "role": "boss"},
    {"action": "retry", "task": "demo/a/"},
    {"action": "retry", "task": "demo/a/", "max_calls": 10**6},
    {"action": "send_back", "task": "demo/a/", "text": "x"},
    {"action": "use_provider", "terminal": "demo/a/1/", "provider": "glm"},
    {"action": 7},
    {"nothing": True},
]


@pytest.mark.parametrize("said", [*FORBIDDEN, *WRONG], ids=str)
def test_what_is_no_action_or_cannot_be_done_changes_nothing(said: dict[str, Any]) -> None:
    world = thinking("coder", "coder")
    stops(world)
    asked(world)
    kept, state = world.plan, world.state
    before = ([*state.tasks], state.status, state.merge)
    acted = answer(world, **said)
    assert acted is not None
    assert not acted.accepted
    assert acted.said
    assert (world.state.tasks, world.state.status, world.state.merge) == before
    assert world.plan == kept


def test_an_answer_that_this_machine_refuses_is_not_carried_out() -> None:
    world = thinking("coder")
    stops(world)
    acted = answer(world, action="add_task", task="docs", text="x", refused="the branch exists")
    assert acted is not None
    assert (acted.accepted, acted.said) == (False, "the branch exists")
    assert len(world.plan.task) == 1


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


def test_nobody_is_blamed_for_a_task_that_failed() -> None:
    world = thinking("coder", "coder")
    says(world, "b", "done")
    says(world, "a", "fail")
    assert world.status() == WorkflowStatus.FAILED
    acted = answer(world, action="blame", task="demo/b/", text="x")
    assert acted is not None
    assert not acted.accepted
    assert world.task("b").status == TaskStatus.COMPLETED


def test_a_change_that_is_refused_half_way_leaves_nothing() -> None:
    world = thinking("coder")
    draft = Draft(world.state, world.plan, token="", now="", clock=0.0)

    def change() -> None:
        draft.set_task(draft.workflow.tasks[0], issues="half")
        draft.set_plan(plan("coder", "coder"))
        raise illegal(Reason.OVER, "no")

    refused = draft.attempt(change)
    assert refused is not None
    assert refused.body.message == "no"
    assert (draft.operations, draft.workflow, draft.plan) == ([], world.state, world.plan)
