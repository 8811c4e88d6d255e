"""What becomes of the answers of the orchestrator, and what it never can do.

Hazard 54.
"""

from functools import partial
from typing import Any

import pytest

from actors.workflow.decisions import limits
from actors.workflow.decisions.draft import Draft
from bus import facts
from bus.errors import illegal
from bus.orchestrator_requests import OrchestratorAccept
from bus.peer import By
from bus.reasons import Reason
from bus.status import QuestionStage, TaskStatus, TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_mind import (
    ALL,
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
    merging,
    observes,
    orders,
    plan,
    says,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World


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
    assert question(world).escalated


def test_a_question_to_a_person_waits_until_one_acts_or_the_next_takes_its_place() -> None:
    world = thinking("coder", "coder", "coder", "coder")
    stops(world)
    answer(world, action="escalate", text="which port?")
    stops(world, "demo/b/1/")
    answer(world, action="nothing")
    assert [q.escalated for q in world.state.questions] == [True, False]
    stops(world, "demo/c/1/")
    answer(world, action="escalate", text="which host?")
    assert [q.escalated for q in world.state.questions] == [False, False, True]
    orders(world, PAUSE)
    orders(world, RESUME)
    assert not any(q.escalated for q in world.state.questions)


def test_a_question_to_a_person_that_needs_nothing_is_accepted() -> None:
    world = thinking("coder")
    stops(world)
    answer(world, action="escalate", text="which port?")
    orders(world, OrchestratorAccept(workflow="demo", question=1))
    assert not question(world).escalated


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
