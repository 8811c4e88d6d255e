"""Merge: conflict, resolution, tests, landing; every exit from `merging` is a transition."""

import copy

import pytest

from actors.workflow.decisions.decide import decide
from actors.workflow.decisions.outcomes import MAX_REJECTIONS
from bus import facts, requests
from bus.action import Action, Do
from bus.status import MergeStage, TerminalStatus, WorkflowStatus
from store.change import update_merge
from store.errors import LostRace
from tests.actors.workflow.decisions.decisions_scene import (
    ABORT,
    CONTINUE,
    ERROR,
    REPAIR,
    STOP,
    merge_says,
    merging,
    observes,
    orders,
    resolving,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World


def red(**settings: object) -> World:
    """The tests failed on the merged tree."""
    world = merging("coder", "coder", **settings)
    observes(world, "builds")
    observes(world, "tests red")
    return world


def test_green_lands_and_completes() -> None:
    world = merging("coder", "coder")
    for step in ("builds", "tests green", "lands"):
        assert world.status() == WorkflowStatus.MERGING
        observes(world, step)
    assert world.status() == WorkflowStatus.COMPLETED
    assert "(tested)" in world.state.reason


def test_without_a_test_it_lands_and_says_so() -> None:
    world = merging("coder", test=None)
    observes(world, "builds")
    assert world.state.merge.tested
    world.store([facts.MergeLanded(address="demo/", target="main", old="o", new="n", tested=False)])
    world.settle()
    assert "not tested" in world.state.reason


# ---- red tests -------------------------------------------------------------------------


def test_red_lands_nothing_fails_and_offers_the_ways_on_with_the_output() -> None:
    """Hazard 48."""
    world = red()
    assert world.status() == WorkflowStatus.FAILED
    assert "nothing landed" in world.state.reason
    assert world.offer is not None
    assert "1 failed" in world.offer.evidence
    assert world.offer.actions[:2] == [
        Action(Do.REPAIR, "demo/", {"cli": "claude"}),
        Action(Do.CONTINUE_MERGE, "demo/"),
    ]
    assert not world.merger_steps()


def test_a_flaky_test_is_run_again_as_often_as_test_retries_says() -> None:
    world = merging("coder", test_retries=1)
    observes(world, "builds")
    observes(world, "tests red")
    assert world.status() == WorkflowStatus.MERGING
    assert (world.state.merge.runs, world.state.merge.tested) == (1, False)
    observes(world, "tests green")
    assert world.state.merge.tested
    twice = red(test_retries=1)
    observes(twice, "tests red")
    assert twice.state.status == WorkflowStatus.FAILED


def test_repair_of_red_starts_the_error_terminal_on_the_merged_tree_with_the_output() -> None:
    world = red(error=ERROR)
    orders(world, REPAIR)
    terminal = world.find("demo/merge/")
    assert (terminal.status, terminal.cli) == ("running", "fixer")
    assert "1 failed" in terminal.instruction
    assert world.stage() == MergeStage.REPAIR
    assert not world.merger_steps()
    merge_says(world, "done")
    assert world.stage() == MergeStage.CHECKING
    observes(world, "accepts the resolution")
    for step in ("builds", "tests green", "lands"):
        observes(world, step)
    assert world.status() == WorkflowStatus.COMPLETED
    assert world.find("demo/merge/").status == TerminalStatus.COMPLETED


def test_a_repair_that_is_red_again_is_told_and_tries_again_limited() -> None:
    world = red(error=ERROR)
    orders(world, REPAIR)
    for _ in range(MAX_REJECTIONS + 1):
        assert world.status() == WorkflowStatus.MERGING
        assert "1 failed" in world.find("demo/merge/").instruction
        merge_says(world, "done")
        observes(world, "accepts the resolution")
        observes(world, "builds")
        observes(world, "tests red")
    assert world.status() == WorkflowStatus.FAILED
    assert world.find("demo/merge/").status == TerminalStatus.FAILED
    orders(world, REPAIR)
    assert world.find("demo/merge/").incarnation == 2


@pytest.mark.parametrize("how", ["says", "exits"])
def test_a_repair_that_gives_up_leaves_it_failed_with_the_output(how: str) -> None:
    world = red(error=ERROR)
    orders(world, REPAIR)
    if how == "says":
        merge_says(world, "fail")
    else:
        world.exit(world.find("demo/merge/"))
        world.settle()
    assert world.status() == WorkflowStatus.FAILED
    assert world.offer is not None
    assert "1 failed" in world.offer.evidence
    orders(world, REPAIR)
    assert "1 failed" in world.find("demo/merge/").instruction


def test_continue_after_red_builds_and_tests_again() -> None:
    world = red()
    before = world.state.merge.round
    orders(world, CONTINUE)
    assert world.status() == WorkflowStatus.MERGING
    assert world.state.merge.round == before + 1
    assert world.merger_steps()[0][0] == "builds"


def test_continue_in_place_of_a_repair_ends_its_terminal_and_builds_again() -> None:
    world = red(error=ERROR)
    orders(world, REPAIR)
    orders(world, CONTINUE)
    assert world.find("demo/merge/").status == TerminalStatus.CANCELLED
    assert world.merger_steps()[0][0] == "builds"


# ---- the target ------------------------------------------------------------------------------


def test_a_target_that_moved_is_built_on_and_tested_again() -> None:
    world = merging("coder")
    observes(world, "builds")
    observes(world, "tests green")
    old = world.state.merge
    observes(world, "target moved")
    merge = world.state.merge
    assert (merge.round, merge.commit, merge.tested) == (old.round + 1, "", False)
    again = facts.TargetMoved(address="demo/", target="main", old=old.base, new=world.target)
    world.store([again])
    world.drain()
    assert world.state.merge == merge


def test_a_test_of_another_tree_is_not_taken() -> None:
    world = merging("coder")
    observes(world, "builds")
    world.store(
        [facts.MergeTested(address="demo/", commit="another", passed=True, command=["pytest"])]
    )
    world.drain()
    assert not world.state.merge.tested


def test_the_result_of_an_earlier_run_is_not_taken_for_a_later_one() -> None:
    """Found by a random walk: its merger would have waited for ever."""
    world = merging("coder", test_retries=1)
    observes(world, "builds")
    observes(world, "tests red")
    (red_run,) = told(world, facts.MergeTested)
    observes(world, "tests green")
    world.store([copy.copy(red_run)])
    world.settle(merger=False)
    assert (world.state.merge.runs, world.state.merge.tested) == (2, True)
    observes(world, "lands")
    assert world.status() == WorkflowStatus.COMPLETED


def test_a_target_in_use_is_refused_with_the_files_and_continue_goes_on() -> None:
    """Hazard 48."""
    world = merging("coder")
    observes(world, "builds")
    observes(world, "tests green")
    observes(world, "refuses")
    assert world.status() == WorkflowStatus.FAILED
    assert world.offer is not None
    assert "x" in world.offer.evidence
    assert world.offer.actions[0] == Action(Do.CONTINUE_MERGE, "demo/")
    orders(world, CONTINUE)
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


def test_what_is_landing_cannot_be_stopped_or_given_up() -> None:
    world = merging("coder")
    observes(world, "builds")
    observes(world, "tests green")
    world.store([update_merge("demo", stage=MergeStage.LANDING)])
    for order in (STOP, ABORT, CONTINUE):
        assert not world.order(order)
    observes(world, "lands")
    assert world.status() == WorkflowStatus.COMPLETED


def test_what_landed_but_for_a_checkout_waits_for_a_person_and_is_not_taken_back() -> None:
    world = merging("coder")
    for step in ("builds", "tests green", "lands but for a checkout"):
        observes(world, step)
    assert world.status() == WorkflowStatus.MERGING
    assert world.offer is not None
    assert "/repo" in world.offer.evidence
    assert world.offer.actions[0] == Action(Do.CONTINUE_MERGE, "demo/")
    assert not world.merger_steps()
    for order in (STOP, ABORT):
        assert not world.order(order)
    orders(world, CONTINUE)
    observes(world, "lands but for a checkout")
    orders(world, CONTINUE)
    observes(world, "lands")
    assert world.status() == WorkflowStatus.COMPLETED


@pytest.mark.parametrize("order", [STOP, ABORT])
def test_a_stop_that_crosses_the_landing_loses_the_race(order: requests.Command) -> None:
    """The merger took the target between the decision and its commit."""
    world = merging("coder")
    observes(world, "builds")
    observes(world, "tests green")
    decided = decide(world.state, world.plan, order, token="t", now="now")
    world.store([update_merge("demo", stage=MergeStage.LANDING)])
    with pytest.raises(LostRace):
        world.store(decided)


def test_stop_while_merging_cancels_and_a_late_landing_is_not_believed() -> None:
    world = resolving()
    orders(world, STOP)
    assert world.status() == WorkflowStatus.CANCELLED
    assert world.find("demo/merge/").gone
    world.store([facts.MergeLanded(address="demo/", target="main", old="o", new="n")])
    world.drain()
    assert world.status() == WorkflowStatus.CANCELLED
