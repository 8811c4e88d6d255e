"""Review: by the next terminal where it is a reviewer, otherwise by a person; in rounds."""

import pytest

from bus.status import TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_scene import (
    APPROVE,
    ERROR,
    PAUSE,
    REJECT,
    RESUME,
    RETRY,
    orders,
    running,
    says,
    statuses,
)


@pytest.mark.parametrize("yes", ["done", "pass"])
def test_review_is_judged_by_the_next_reviewer_which_accepts(yes: str) -> None:
    world = running("coder reviewer")
    says(world, "a", "review")
    assert statuses(world, "a") == ["review_pending", "running", "running"]
    assert world.find("demo/a/1/").gone
    assert "a: work of the reviewer" in world.find("demo/a/2/").instruction
    says(world, "a", yes)
    assert statuses(world, "a") == ["completed", "completed", "completed"]


def test_the_reviewer_is_told_the_range_of_the_work() -> None:
    world = running("coder reviewer")
    world.state.tasks[0].base = "b" * 40
    says(world, "a", "review")
    tip = world.task("a").tip
    assert f"git diff {'b' * 12}..{tip[:12]}" in world.find("demo/a/2/").instruction


@pytest.mark.parametrize("no", ["fail", "reject"])
@pytest.mark.parametrize("asked", ["review", "done"])
def test_a_rejection_sends_the_task_back_to_the_coder_with_the_issues(asked: str, no: str) -> None:
    """Also after `#done`, which sets a reviewer to work as any next terminal. Hazard 7."""
    world = running("coder reviewer")
    says(world, "a", asked)
    says(world, "a", no)
    assert statuses(world, "a") == ["running", "running", "waiting"]
    coder = world.find("demo/a/1/")
    assert coder.incarnation == 2
    assert "sent back" in coder.instruction
    assert "an issue" in coder.instruction
    says(world, "a", asked)
    says(world, "a", "done")
    assert statuses(world, "a") == ["completed", "completed", "completed"]
    assert world.task("a").issues == ""


def test_the_reviewed_coder_is_not_told_before_its_judge_is_gone() -> None:
    world = running("coder reviewer", max_terminals=4)
    says(world, "a", "review")
    judge = world.find("demo/a/2/")
    world.commit("demo/a/", "fail")
    world.drain()
    world.ready(world.find("demo/a/1/"))
    world.drain()
    assert world.find("demo/a/1/").status == TerminalStatus.WAITING
    world.exit(judge)
    world.drain()
    assert world.find("demo/a/1/").status == TerminalStatus.RUNNING


@pytest.mark.parametrize("asked", ["review", "done"])
def test_rounds_are_limited_and_the_task_fails_with_the_reason(asked: str) -> None:
    """Hazard 54."""
    world = running("coder reviewer", max_review_rounds=2)
    for _ in range(2):
        says(world, "a", asked)
        says(world, "a", "fail")
    assert statuses(world, "a") == ["failed", "failed", "cancelled"]
    assert "rejected in review 2 times" in world.task("a").reason
    assert "an issue" in world.task("a").issues
    assert world.status() == WorkflowStatus.FAILED
    orders(world, RETRY)
    assert statuses(world, "a") == ["running", "running", "waiting"]
    assert "an issue" in world.find("demo/a/1/").instruction
    assert world.task("a").rounds == 0


def test_a_reviewer_that_says_review_is_told_its_words() -> None:
    world = running("coder reviewer")
    says(world, "a", "review")
    says(world, "a", "review")
    assert statuses(world, "a") == ["review_pending", "running", "running"]
    assert "#done or #fail" in world.find("demo/a/2/").instruction


def test_issues_of_a_review_are_not_told_to_the_terminal_after_it() -> None:
    world = running("coder reviewer coder")
    says(world, "a", "done")
    says(world, "a", "fail")
    says(world, "a", "done")
    says(world, "a", "done")
    assert statuses(world, "a") == ["running", "completed", "completed", "running"]
    assert "an issue" not in world.find("demo/a/3/").instruction


def test_without_a_reviewer_a_person_approves() -> None:
    world = running("coder")
    says(world, "a", "review")
    assert statuses(world, "a") == ["review_pending", "running"]
    assert world.find("demo/a/1/").gone
    world.check_not_stuck()
    orders(world, APPROVE)
    assert statuses(world, "a") == ["completed", "completed"]


def test_approval_sets_a_next_coder_to_work() -> None:
    world = running("coder coder")
    says(world, "a", "review")
    assert statuses(world, "a") == ["review_pending", "running", "waiting"]
    orders(world, APPROVE)
    assert statuses(world, "a") == ["running", "completed", "running"]


def test_a_person_rejects_with_a_reason_that_the_coder_is_told() -> None:
    world = running("coder")
    says(world, "a", "review")
    orders(world, REJECT)
    assert statuses(world, "a") == ["running", "running"]
    assert "and the docs" in world.find("demo/a/1/").instruction
    assert world.find("demo/a/1/").incarnation == 2


def test_a_person_may_answer_in_place_of_a_reviewer_at_work() -> None:
    world = running("coder reviewer")
    says(world, "a", "review")
    orders(world, APPROVE)
    assert statuses(world, "a") == ["completed", "completed", "completed"]
    assert "person" in world.find("demo/a/2/").reason


def test_a_person_may_approve_before_the_reviewer_begins_which_then_never_does() -> None:
    world = running("coder reviewer coder")
    world.commit("demo/a/", "review")
    world.drain()
    assert world.find("demo/a/2/").status == TerminalStatus.WAITING
    orders(world, APPROVE)
    assert statuses(world, "a") == ["running", "completed", "cancelled", "running"]
    says(world, "a", "fail")
    orders(world, RETRY)
    assert statuses(world, "a") == ["running", "completed", "cancelled", "running"]


def test_a_person_may_answer_while_paused() -> None:
    world = running("coder")
    says(world, "a", "review")
    orders(world, PAUSE)
    orders(world, REJECT)
    assert statuses(world, "a") == ["running", "failed"]
    orders(world, RESUME)
    assert statuses(world, "a") == ["running", "running"]


def test_a_reviewer_whose_program_dies_while_it_waits_costs_only_itself() -> None:
    """The coder works on; the reviewer is started again when its turn comes."""
    world = running("coder reviewer")
    world.exit(world.find("demo/a/2/"))
    world.settle()
    assert statuses(world, "a") == ["running", "running", "failed"]
    says(world, "a", "review")
    assert statuses(world, "a") == ["review_pending", "running", "running"]
    assert world.find("demo/a/2/").incarnation == 2


def test_a_reviewer_that_cannot_be_started_at_its_turn_fails_the_task() -> None:
    world = running("coder reviewer")
    world.exit(world.find("demo/a/2/"))
    world.commit("demo/a/", "review")
    while world.find("demo/a/2/").status != TerminalStatus.STARTING:
        world.walk(world.must()[0])
    world.fail_launch(world.find("demo/a/2/"))
    world.settle()
    assert statuses(world, "a")[0] == "failed"
    assert world.status() == WorkflowStatus.FAILED


def test_a_reviewer_that_dies_at_work_fails_the_task_and_retry_lets_it_judge_again() -> None:
    world = running("coder reviewer")
    says(world, "a", "review")
    world.exit(world.find("demo/a/2/"), 1)
    world.settle()
    assert statuses(world, "a") == ["failed", "completed", "failed"]
    orders(world, RETRY)
    assert statuses(world, "a") == ["running", "completed", "running"]
    says(world, "a", "fail")
    assert statuses(world, "a") == ["running", "running", "waiting"]


def test_the_error_terminal_may_ask_a_person_for_review() -> None:
    world = running("coder reviewer", error=ERROR)
    says(world, "a", "fail")
    says(world, "a", "review")
    assert world.task("a").status == "review_pending"
    world.check_not_stuck()
    orders(world, REJECT)
    assert "and the docs" in world.find("demo/a/error/").instruction
    says(world, "a", "review")
    orders(world, APPROVE)
    assert world.task("a").status == "completed"


def test_the_error_terminals_review_is_a_persons_also_where_a_reviewer_is_left() -> None:
    world = running("coder reviewer", error=ERROR)
    says(world, "a", "done")
    world.exit(world.find("demo/a/2/"))
    world.settle()
    says(world, "a", "review")
    assert statuses(world, "a") == ["review_pending", "completed", "failed", "running"]
    orders(world, APPROVE)
    assert world.task("a").status == "completed"


def test_a_rejected_coder_gets_a_place_from_one_that_only_waits() -> None:
    """Both places are held by second coders whose turn comes after an approval."""
    world = running("coder coder", "coder coder", max_terminals=2)
    says(world, "a", "review")
    says(world, "b", "review")
    assert statuses(world, "a") == ["review_pending", "running", "waiting"]
    assert statuses(world, "b") == ["review_pending", "running", "waiting"]
    orders(world, REJECT)
    assert statuses(world, "a") == ["running", "running", "waiting"]
    assert statuses(world, "b") == ["review_pending", "running", "cancelled"]
    assert world.find("demo/b/2/").wanted


@pytest.mark.parametrize("limit", [1, 3])
def test_a_rejection_by_a_second_reviewer_is_judged_again_by_that_one_alone(limit: int) -> None:
    """Also after the limit of rounds and a retry: the first one's word stands."""
    world = running("coder reviewer reviewer", max_review_rounds=limit)
    says(world, "a", "review")
    says(world, "a", "done")
    says(world, "a", "fail")
    if limit == 1:
        orders(world, RETRY)
    assert statuses(world, "a") == ["running", "running", "completed", "waiting"]
    says(world, "a", "review")
    assert statuses(world, "a") == ["review_pending", "running", "completed", "running"]
    says(world, "a", "done")
    assert statuses(world, "a") == ["completed", "completed", "completed", "completed"]
