"""The check of a task: before a coder's work goes on, limited in rounds."""

import pytest

from bus import facts
from bus.plan_requests import TaskCancel
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_scene import (
    ERROR,
    STOP,
    orders,
    running,
    statuses,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World


def checking(line: str = "coder coder", word: str = "done", **settings: object) -> World:
    """The coder of `a` has handed its work on, and its check runs."""
    world = running(line, "coder", check="a", **settings)
    world.commit("demo/a/", word)
    world.drain()
    assert world.task("a").checking
    return world


def result(world: World, passed: bool) -> None:
    world.check_task(world.task("a"), passed)
    world.settle(merger=False)


def test_nothing_goes_on_while_it_runs() -> None:
    world = checking()
    assert statuses(world, "a") == ["running", "running", "waiting"]
    assert not world.find("demo/a/1/").shall_run
    world.exit(world.find("demo/a/1/"))
    world.drain()
    assert statuses(world, "a") == ["running", "running", "waiting"]


def test_green_sets_the_next_to_work() -> None:
    world = checking()
    result(world, True)
    assert statuses(world, "a") == ["running", "completed", "running"]
    assert world.task("a").checking == ""


def test_green_after_review_asks_for_the_review() -> None:
    world = checking("coder reviewer", "review")
    result(world, True)
    assert statuses(world, "a") == ["review_pending", "running", "running"]


def test_a_reviewers_word_is_not_checked() -> None:
    world = checking("coder reviewer", "review")
    result(world, True)
    world.commit("demo/a/", "pass")
    world.settle(merger=False)
    assert world.task("a").status == TaskStatus.COMPLETED
    assert world.task("a").check_run == 1


def test_red_sends_the_work_back_with_the_output_and_is_limited() -> None:
    world = checking(max_review_rounds=2)
    result(world, False)
    assert world.find("demo/a/1/").status == TerminalStatus.RUNNING
    assert world.find("demo/a/1/").incarnation == 2
    assert "1 failed" in world.find("demo/a/1/").instruction
    assert world.find("demo/a/2/").status == TerminalStatus.WAITING
    world.commit("demo/a/", "done")
    world.drain()
    result(world, False)
    assert world.task("a").status == TaskStatus.FAILED
    assert "2 times, which is the limit" in world.task("a").reason


def test_a_repair_is_checked_too() -> None:
    world = checking("coder", error=ERROR, max_review_rounds=1)
    result(world, False)
    assert world.find("demo/a/error/").status == TerminalStatus.RUNNING
    world.commit("demo/a/", "done")
    world.drain()
    assert world.task("a").checking
    result(world, True)
    assert world.task("a").status == TaskStatus.COMPLETED


def test_an_amended_commit_is_checked_instead() -> None:
    world = checking("coder")
    late = world.task("a")
    again = world.commit("demo/a/", "done")
    world.drain()
    assert (world.task("a").checking, world.task("a").check_run) == (again, 2)
    world.store([facts.TaskChecked(address=late.address, commit=late.checking, passed=True,
                                   command=[], run=1)])  # fmt: skip
    world.drain()
    assert world.task("a").status == TaskStatus.RUNNING, "an old result counts for nothing"
    result(world, True)
    assert world.task("a").accepted == again


def test_a_commit_without_a_word_reopens_the_task_after_the_check() -> None:
    world = checking("coder")
    world.commit("demo/a/", "")
    world.drain()
    result(world, True)
    assert world.task("a").reopened


@pytest.mark.parametrize("end", [STOP, TaskCancel(task="demo/a/")])
def test_a_check_ends_with_its_task(end: object) -> None:
    world = checking()
    orders(world, end)  # type: ignore[arg-type]
    assert world.task("a").status == TaskStatus.CANCELLED
    assert world.task("a").checking == ""


def test_a_merger_that_cannot_check_fails_the_task() -> None:
    world = checking()
    where = "runtime/workflows/demo/merger/"
    world.store([facts.ActorFailing(address="demo/", actor=where, failures=5, error="E")])
    world.drain()
    assert world.task("a").status == TaskStatus.FAILED
    assert world.status() == WorkflowStatus.RUNNING
    assert told(world, facts.TaskMoved)[-1].new == TaskStatus.FAILED
