"""A program that is kept while its work is judged (`keep`)."""

import pytest

from bus import facts
from bus.kinds import LaunchWait
from bus.plan_requests import TaskAdd
from bus.status import TerminalStatus
from store.change import update_terminal
from tests.actors.workflow.decisions.decisions_scene import (
    APPROVE,
    ERROR,
    PAUSE,
    REJECT,
    RESUME,
    STOP,
    orders,
    running,
    says,
    statuses,
)
from tests.actors.workflow.decisions.decisions_world import World


def reviewing(line: str = "coder reviewer", **settings: object) -> World:
    """The coder of `a` has asked for a review, and its program is kept."""
    world = running(line, keep=True, **settings)
    says(world, "a", "review")
    return world


def test_the_reviewer_waits_until_the_coder_is_stopped() -> None:
    """Hazard 36."""
    world = running("coder reviewer", keep=True)
    world.commit("demo/a/", "review")
    world.drain()
    coder, judge = world.find("demo/a/1/"), world.find("demo/a/2/")
    assert coder.kept
    assert judge.status == TerminalStatus.WAITING
    world.rest(coder)
    world.drain()
    assert world.find("demo/a/2/").status == TerminalStatus.RUNNING
    assert not world.find("demo/a/1/").gone


@pytest.mark.parametrize("no", ["fail", "reject"])
def test_the_coder_goes_on_when_its_judge_is_gone(no: str) -> None:
    world = reviewing()
    judge = world.find("demo/a/2/")
    world.commit("demo/a/", no)
    world.drain()
    assert world.find("demo/a/1/").resting
    assert world.find("demo/a/1/").step == 1
    world.exit(judge)
    world.drain()
    coder = world.find("demo/a/1/")
    assert (coder.incarnation, coder.step, coder.kept, coder.resting) == (1, 2, False, False)
    assert "an issue" in coder.instruction
    assert "#review" in coder.instruction
    assert "a: work of the coder" not in coder.instruction


def test_it_is_kept_again_and_ended_with_the_acceptance() -> None:
    world = reviewing()
    says(world, "a", "fail")
    says(world, "a", "review")
    assert world.find("demo/a/1/").resting
    says(world, "a", "done")
    assert statuses(world, "a") == ["completed", "completed", "completed"]
    assert world.find("demo/a/1/").gone


def test_a_person_s_answers_do_the_same() -> None:
    world = reviewing("coder")
    orders(world, REJECT)
    coder = world.find("demo/a/1/")
    assert (coder.incarnation, coder.step, coder.works) == (1, 2, True)
    says(world, "a", "review")
    orders(world, APPROVE)
    assert statuses(world, "a") == ["completed", "completed"]


def test_nothing_is_told_to_it_while_the_workflow_is_paused() -> None:
    world = reviewing("coder")
    orders(world, PAUSE)
    orders(world, REJECT)
    assert world.find("demo/a/1/").kept
    orders(world, RESUME)
    assert world.find("demo/a/1/").works


def test_a_red_check_sends_the_work_back_to_the_same_program() -> None:
    world = running("coder reviewer", "coder", check="a", keep=True)
    world.commit("demo/a/", "done")
    world.drain()
    assert world.find("demo/a/1/").kept
    world.check_task(world.task("a"), passed=False)
    world.settle(merger=False)
    coder = world.find("demo/a/1/")
    assert (coder.incarnation, coder.step, coder.works) == (1, 2, True)
    assert "The check of your work failed" in coder.instruction


def test_the_last_round_ends_it() -> None:
    world = reviewing("coder", max_review_rounds=1)
    orders(world, REJECT)
    assert statuses(world, "a") == ["failed", "failed"]
    assert world.find("demo/a/1/").gone


def test_its_place_is_given_up_for_one_whose_turn_it_is() -> None:
    world = reviewing(max_terminals=1)
    assert world.find("demo/a/1/").gone
    assert world.find("demo/a/2/").works
    says(world, "a", "fail")
    assert world.find("demo/a/1/").incarnation == 2


def test_one_that_is_judged_by_a_terminal_at_work_keeps_its_place() -> None:
    """To end it, it would have to run again, beside the reviewer (hazard 36)."""
    world = running("coder reviewer", "coder", keep=True, max_terminals=2)
    orders(world, PAUSE)
    says(world, "a", "review")
    orders(world, RESUME)
    assert world.find("demo/b/1/").wanted
    assert world.find("demo/a/2/").works
    assert world.find("demo/a/1/").resting
    says(world, "a", "done")
    assert world.find("demo/b/1/").works


def test_it_is_ended_if_a_launch_waits_for_memory() -> None:
    world = reviewing("coder")
    terminals = [{"cli": "claude", "instruction": "do it"}]
    added = {"id": "b", "branch": "feat/b", "terminal": terminals}
    assert world.order(TaskAdd(workflow="demo", task=added))
    assert world.find("demo/b/1/").status == TerminalStatus.STARTING
    assert world.find("demo/a/1/").shall_run
    waits = facts.LaunchWaits(
        address="demo/b/1/", incarnation=1, wait=LaunchWait.MEMORY, reason="100 MB are free"
    )
    world.store([update_terminal("demo/b/1/", waits=LaunchWait.MEMORY), waits])
    world.drain()
    assert not world.find("demo/a/1/").shall_run


def test_one_that_ends_meanwhile_is_started_again_at_a_rejection() -> None:
    world = reviewing("coder")
    world.exit(world.find("demo/a/1/"))
    world.settle(merger=False)
    assert statuses(world, "a") == ["review_pending", "running"]
    assert not world.find("demo/a/1/").shall_run
    orders(world, REJECT)
    coder = world.find("demo/a/1/")
    assert (coder.incarnation, coder.works) == (2, True)


def test_one_that_ends_after_the_rejection_is_started_again() -> None:
    world = reviewing()
    judge = world.find("demo/a/2/")
    world.commit("demo/a/", "fail")
    world.drain()
    world.exit(world.find("demo/a/1/"))
    world.drain()
    assert world.find("demo/a/1/").status in (TerminalStatus.FAILED, TerminalStatus.STARTING)
    world.exit(judge)
    world.settle(merger=False)
    coder = world.find("demo/a/1/")
    assert (coder.incarnation, coder.works) == (2, True)
    assert "an issue" in coder.instruction


def test_one_whose_turn_does_not_end_is_ended() -> None:
    world = running("coder reviewer", keep=True)
    world.commit("demo/a/", "review")
    world.drain()
    world.rest(world.find("demo/a/1/"), stopped=False)
    world.settle(merger=False)
    assert world.find("demo/a/1/").gone
    assert world.find("demo/a/2/").works


def test_stop_and_a_failed_task_end_it() -> None:
    for what in ("stop", "fail"):
        world = reviewing()
        if what == "stop":
            orders(world, STOP)
        else:
            world.exit(world.find("demo/a/2/"))
            world.settle(merger=False)
        assert world.find("demo/a/1/").gone, what


def test_an_error_terminal_is_kept_too() -> None:
    keeping = type(ERROR)(cli="fixer", keep=True)
    world = running("coder", error=keeping)
    says(world, "a", "fail")
    says(world, "a", "review")
    assert world.find("demo/a/error/").resting
    orders(world, REJECT)
    error = world.find("demo/a/error/")
    assert (error.incarnation, error.step, error.works) == (1, 2, True)


def test_an_actor_that_fails_does_not_wake_a_stopped_program() -> None:
    """Hazard 36."""
    world = reviewing()
    failing = facts.ActorFailing(
        address="demo/a/1/", actor="demo/a/1/", failures=5, error="a broken disk"
    )
    world.store([failing])
    world.drain()
    assert world.find("demo/a/1/").kept
