"""Failure, repair and retry of tasks."""

import msgspec
import pytest

from actors.workflow.decisions.outcomes import MAX_REJECTIONS
from bus import requests
from bus.action import Action, Do
from bus.facts import InstructionUnconfirmed
from bus.plan import HelperPlan, TerminalPlan
from bus.status import WorkflowStatus
from store.change import Insert
from tests.actors.workflow.decisions.decisions_scene import (
    ERROR,
    PAUSE,
    REPAIR,
    RESUME,
    RETRY,
    orders,
    plan,
    running,
    says,
    statuses,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World


def fails(world: World, how: str) -> None:
    terminal = world.find("demo/a/1/")
    match how:
        case "exit":
            world.exit(terminal, 3)
        case "timeout":
            world.time_out(terminal)
        case "word":
            world.commit("demo/a/", "fail")
    world.settle(merger=False)


@pytest.mark.parametrize(
    ("how", "why"),
    [("exit", "exited with status 3"), ("timeout", "timeout of 9 s"), ("word", "gave up")],
)
def test_a_terminal_that_fails_takes_its_task_with_it_and_no_other(how: str, why: str) -> None:
    """Hazard 16."""
    world = running("coder coder", "coder")
    fails(world, how)
    assert statuses(world, "a") == ["failed", "failed", "cancelled"]
    assert why in world.task("a").reason
    assert world.find("demo/a/1/").gone
    assert world.status() == WorkflowStatus.RUNNING
    says(world, "b", "done")
    assert world.status() == WorkflowStatus.FAILED
    assert "demo/a/" in world.state.reason


def test_repair_is_offered_with_what_failed_the_evidence_and_the_commands() -> None:
    world = running("coder")
    fails(world, "exit")
    offer = world.offer
    assert offer is not None
    assert offer.failed == ["demo/a/"]
    assert "status 3" in offer.evidence
    assert "the last screen" in offer.evidence
    assert offer.actions == [
        Action(Do.RETRY, "demo/a/"),
        Action(Do.REPAIR, "demo/", {"cli": "claude"}),
        Action(Do.WHY, "demo/"),
    ]


def test_an_exit_after_the_completion_is_no_failure() -> None:
    world = running("coder", "coder")
    says(world, "a", "done")
    assert world.find("demo/a/1/").gone
    assert statuses(world, "a") == ["completed", "completed"]


def test_a_launch_that_fails_while_others_work_fails_its_task_alone() -> None:
    world = running("coder", "coder", max_terminals=1)
    world.commit("demo/a/", "done")
    while world.find("demo/b/1/").status != "starting":
        world.walk(world.must()[0])
    world.fail_launch(world.find("demo/b/1/"))
    world.settle()
    assert statuses(world, "b") == ["failed", "failed"]
    assert statuses(world, "a") == ["completed", "completed"]
    assert world.status() == WorkflowStatus.FAILED


def test_with_error_in_the_plan_the_error_terminal_starts_by_itself_with_the_context() -> None:
    world = running("coder coder", error=ERROR)
    fails(world, "exit")
    assert statuses(world, "a") == ["running", "failed", "cancelled", "running"]
    assert world.status() == WorkflowStatus.RUNNING
    error = world.find("demo/a/error/")
    assert error.cli == "fixer"
    for evidence in ("status 3", "the last screen", "a: work of the coder", "git log"):
        assert evidence in error.instruction
    says(world, "a", "done")
    assert statuses(world, "a") == ["completed", "failed", "cancelled", "completed"]


def test_the_error_terminal_works_only_when_the_failed_one_is_gone() -> None:
    world = running("coder", error=ERROR)
    world.time_out(world.find("demo/a/1/"))
    world.drain()
    world.ready(world.find("demo/a/error/"))
    world.drain()
    assert world.find("demo/a/error/").status == "waiting"
    world.exit(world.find("demo/a/1/"))
    world.drain()
    assert world.find("demo/a/error/").status == "running"


@pytest.mark.parametrize("how", ["says", "exits"])
def test_the_error_terminals_failure_leaves_the_task_failed(how: str) -> None:
    world = running("coder", error=ERROR)
    fails(world, "exit")
    if how == "says":
        says(world, "a", "fail")
    else:
        world.exit(world.find("demo/a/error/"))
        world.settle()
    assert statuses(world, "a") == ["failed", "failed", "failed"]
    assert world.status() == WorkflowStatus.FAILED


def test_attempts_say_how_often_it_starts_by_itself() -> None:
    """Hazard 54."""
    world = running("coder", error=HelperPlan(cli="fixer", attempts=2))
    fails(world, "exit")
    says(world, "a", "fail")
    assert statuses(world, "a") == ["running", "failed", "running"]
    assert world.find("demo/a/error/").incarnation == 2
    says(world, "a", "fail")
    assert world.status() == WorkflowStatus.FAILED


def test_repair_by_hand_starts_the_error_terminals_of_all_failed_tasks() -> None:
    world = running("coder", "coder", "coder", error=ERROR)
    for task in "ab":
        says(world, task, "fail")
        says(world, task, "fail")
    says(world, "c", "done")
    assert world.status() == WorkflowStatus.FAILED
    orders(world, REPAIR)
    assert world.status() == WorkflowStatus.RUNNING
    says(world, "a", "done")
    says(world, "b", "done")
    assert world.status() == WorkflowStatus.MERGING


@pytest.mark.parametrize("named", ["codex", ""])
def test_repair_without_error_in_the_plan_starts_the_named_or_the_first_program(
    named: str,
) -> None:
    world = running("coder")
    says(world, "a", "fail")
    orders(world, requests.WorkflowRepair(workflow="demo", cli=named))
    assert world.find("demo/a/error/").cli == (named or world.find("demo/a/1/").cli)
    assert statuses(world, "a") == ["running", "failed", "running"]


@pytest.mark.parametrize("named", ["codex", ""])
def test_a_program_that_no_plan_names_is_fenced_where_an_agent_is(named: str) -> None:
    settings = plan("coder", "coder")
    settings.task[1].terminal[0].sandbox = "worktree"
    world = World(settings)
    world.finish(WorkflowStatus.RUNNING)
    world.settle(merger=False)
    says(world, "a", "fail")
    made = world.decide(requests.WorkflowRepair(workflow="demo", cli=named))
    (new,) = (each for each in made if isinstance(each, Insert) and each.table == "terminal")
    assert msgspec.json.decode(new.values["plan"], type=TerminalPlan).sandbox == "worktree"


def test_repair_with_another_program_replaces_the_one_of_before() -> None:
    world = running("coder", error=ERROR)
    says(world, "a", "fail")
    says(world, "a", "fail")
    orders(world, requests.WorkflowRepair(workflow="demo", cli="codex"))
    assert world.find("demo/a/error/").cli == "codex"


def test_repair_and_retry_of_a_failed_task_need_not_wait_for_the_others() -> None:
    world = running("coder", "coder")
    says(world, "a", "fail")
    orders(world, requests.WorkflowRepair(workflow="demo", cli="codex"))
    assert statuses(world, "a") == ["running", "failed", "running"]
    says(world, "a", "fail")
    orders(world, RETRY)
    assert statuses(world, "a") == ["running", "running", "failed"]
    assert statuses(world, "b") == ["running", "running"]


def test_retry_relaunches_what_failed_and_what_was_cancelled_with_it() -> None:
    world = running("coder coder coder")
    says(world, "a", "done")
    says(world, "a", "fail")
    assert statuses(world, "a") == ["failed", "completed", "failed", "cancelled"]
    orders(world, RETRY)
    assert statuses(world, "a") == ["running", "completed", "running", "waiting"]
    assert "demo/a/2/ failed: gave up" in world.find("demo/a/2/").instruction
    says(world, "a", "done")
    assert "gave up" not in world.find("demo/a/3/").instruction


def test_retry_of_a_failed_task_while_paused_waits_for_resume() -> None:
    world = running("coder", "coder")
    says(world, "a", "fail")
    orders(world, PAUSE)
    orders(world, RETRY)
    assert statuses(world, "a") == ["running", "failed"]
    orders(world, RESUME)
    assert statuses(world, "a") == ["running", "running"]


def test_a_failure_while_paused_is_repaired_when_resumed() -> None:
    world = running("coder", error=ERROR)
    orders(world, PAUSE)
    fails(world, "exit")
    assert statuses(world, "a") == ["failed", "failed"]
    assert world.status() == WorkflowStatus.PAUSED
    orders(world, RESUME)
    assert statuses(world, "a") == ["running", "failed", "running"]


def test_a_new_incarnation_has_all_its_chances_again() -> None:
    world = running("coder")
    for _ in range(MAX_REJECTIONS + 1):
        says(world, "a", "pass")
    assert statuses(world, "a") == ["failed", "failed"]
    orders(world, RETRY)
    says(world, "a", "pass")
    assert statuses(world, "a") == ["running", "running"]


@pytest.mark.parametrize(("sent", "unsure", "told_of"), [(0, 1, [1]), (0, 0, []), (1, 1, [])])
def test_what_may_have_been_typed_is_told_as_doubt(
    sent: int, unsure: int, told_of: list[int]
) -> None:
    world = running("coder")
    terminal = world.find("demo/a/1/")
    terminal.sent = sent
    world.exit(terminal, 3, unsure)
    world.settle(merger=False)
    assert [fact.step for fact in told(world, InstructionUnconfirmed)] == told_of


def test_of_an_instruction_whose_work_was_taken_there_is_no_doubt() -> None:
    world = running("coder")
    terminal = world.find("demo/a/1/")
    terminal.sent = 0
    world.commit("demo/a/", "done")
    world.exit(terminal, 0, 1)
    world.settle(merger=False)
    assert told(world, InstructionUnconfirmed) == []
