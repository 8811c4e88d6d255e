"""A conflict of a merge: who resolves it, who judges the resolution, and how often."""

import pytest

from actors.workflow.decisions.outcomes import MAX_REJECTIONS
from bus import facts, requests
from bus.action import Action, Do
from bus.plan import HelperPlan
from bus.status import MergeStage, TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_scene import (
    ABORT,
    CONTINUE,
    ERROR,
    REPAIR,
    merge_says,
    merging,
    observes,
    orders,
    resolving,
)


def test_a_conflict_stays_merging_and_is_offered_to_a_person_with_its_worktree() -> None:
    world = merging("coder", "coder")
    observes(world, "finds a conflict")
    assert world.status() == WorkflowStatus.MERGING
    assert world.stage() == MergeStage.CONFLICT
    assert world.state.merge.files == ["a.py"]
    assert world.offer is not None
    assert "a.py" in world.offer.evidence
    assert "/tmp/scratch" in world.offer.evidence
    assert world.offer.actions[:2] == [
        Action(Do.CONTINUE_MERGE, "demo/"),
        Action(Do.ABORT_MERGE, "demo/"),
    ]
    world.check_not_stuck()


def test_continue_lets_the_merger_judge_what_a_person_left_and_then_goes_on() -> None:
    world = merging("coder", "coder")
    observes(world, "finds a conflict")
    world.state.merge.told = "1/0/by_hand//ResolutionJudged"
    orders(world, CONTINUE)
    assert world.stage() == MergeStage.BY_HAND
    assert world.state.merge.told == "", "each judgement that is asked for is told"
    observes(world, "finds fault")
    assert world.stage() == MergeStage.CONFLICT
    assert world.offer is not None
    assert "conflict markers" in world.offer.evidence
    orders(world, CONTINUE)
    observes(world, "accepts the resolution")
    assert world.stage() == MergeStage.BUILDING
    assert world.state.merge.carried
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


def test_abort_fails_the_workflow_and_continue_merges_anew() -> None:
    world = merging("coder", "coder")
    observes(world, "finds a conflict")
    orders(world, ABORT)
    assert world.status() == WorkflowStatus.FAILED
    assert world.stage() == MergeStage.IDLE
    assert not world.merger_steps()
    orders(world, CONTINUE)
    observes(world, "finds a conflict")
    assert world.stage() == MergeStage.CONFLICT


@pytest.mark.parametrize(
    ("order", "cli"),
    [(REPAIR, "fixer"), (requests.WorkflowRepair(workflow="demo", cli="codex"), "codex")],
)
def test_repair_has_a_terminal_resolve_what_waits_for_a_person(
    order: requests.WorkflowRepair, cli: str
) -> None:
    world = merging("coder", "coder", error=ERROR)
    observes(world, "finds a conflict")
    orders(world, order)
    assert world.find("demo/merge/").cli == cli
    assert not world.order(order), "it is at work already"


def test_repair_after_an_abort_says_that_continue_is_the_way() -> None:
    world = merging("coder", error=ERROR)
    orders(world, ABORT)
    assert not world.order(REPAIR)


def test_with_merge_in_the_plan_its_terminal_resolves_where_the_conflict_stands() -> None:
    world = resolving()
    terminal = world.find("demo/merge/")
    assert terminal.cli == "resolver"
    assert "a.py" in terminal.instruction
    assert "/tmp/scratch" in terminal.instruction
    merge_says(world, "done")
    assert world.stage() == MergeStage.CHECKING
    observes(world, "accepts the resolution")
    assert world.state.merge.carried
    for step in ("builds", "tests green", "lands"):
        observes(world, step)
    assert world.status() == WorkflowStatus.COMPLETED
    assert not world.find("demo/merge/").shall_run


def test_a_resolution_with_faults_is_told_and_tried_again_limited() -> None:
    world = resolving()
    for n in range(MAX_REJECTIONS):
        merge_says(world, "done")
        observes(world, "finds fault")
        assert "conflict markers" in world.find("demo/merge/").instruction, n
        assert world.stage() == MergeStage.CONFLICT
    merge_says(world, "done")
    observes(world, "finds fault")
    assert world.find("demo/merge/").status == TerminalStatus.FAILED
    assert world.status() == WorkflowStatus.MERGING
    assert world.offer is not None
    world.check_not_stuck()


def test_red_tests_of_a_resolution_are_told_to_who_made_it() -> None:
    world = resolving()
    merge_says(world, "done")
    observes(world, "accepts the resolution")
    observes(world, "builds")
    observes(world, "tests red")
    assert world.status() == WorkflowStatus.MERGING
    assert "1 failed" in world.find("demo/merge/").instruction
    merge_says(world, "done")
    observes(world, "accepts the resolution")
    for step in ("builds", "tests green", "lands"):
        observes(world, step)
    assert world.status() == WorkflowStatus.COMPLETED


def test_a_merge_terminal_that_ends_after_its_word_has_not_failed() -> None:
    world = resolving()
    world.commit("demo/merge/", "done")
    world.exit(world.find("demo/merge/"))
    world.settle(merger=False)
    assert world.find("demo/merge/").status == TerminalStatus.COMPLETED
    assert world.stage() == MergeStage.CHECKING
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


@pytest.mark.parametrize("alive", [True, False])
def test_the_next_conflict_goes_to_the_merge_terminal_again(alive: bool) -> None:
    world = resolving()
    world.commit("demo/merge/", "done")
    world.drain()
    if not alive:
        world.exit(world.find("demo/merge/"))
    world.settle(merger=False)
    observes(world, "accepts the resolution")
    observes(world, "finds a conflict")
    terminal = world.find("demo/merge/")
    assert terminal.status == TerminalStatus.RUNNING
    assert (terminal.incarnation, terminal.step) == ((1, 2) if alive else (2, 1))


@pytest.mark.parametrize("how", ["says", "exits", "times out"])
def test_a_merge_terminal_that_fails_leaves_the_conflict_to_a_person(how: str) -> None:
    world = resolving()
    terminal = world.find("demo/merge/")
    match how:
        case "says":
            merge_says(world, "fail")
        case "exits":
            world.exit(terminal)
        case _:
            world.time_out(terminal)
    world.settle()
    assert world.find("demo/merge/").status == TerminalStatus.FAILED
    assert (world.state.status, world.stage()) == ("merging", "conflict")
    assert world.offer is not None
    orders(world, CONTINUE)
    assert world.stage() == MergeStage.BY_HAND


def test_the_merge_terminal_is_started_as_often_as_its_attempts_say() -> None:
    world = merging("coder", merge=HelperPlan(cli="resolver", attempts=1))
    observes(world, "finds a conflict")
    merge_says(world, "fail")
    again = world.find("demo/merge/")
    assert again.incarnation == 1
    orders(world, ABORT)
    orders(world, CONTINUE)
    observes(world, "finds a conflict")
    assert world.find("demo/merge/").incarnation == 2


def test_a_person_may_take_the_conflict_from_the_merge_terminal() -> None:
    world = resolving()
    orders(world, CONTINUE)
    assert world.find("demo/merge/").status == TerminalStatus.CANCELLED
    assert world.stage() == MergeStage.BY_HAND


def test_a_judgement_of_an_older_resolution_is_not_taken() -> None:
    world = resolving()
    merge_says(world, "done")
    old = world.state.merge.carried
    merge_says(world, "done")
    world.store([facts.ResolutionJudged(address="demo/", commit=old, problems=[])])
    world.drain()
    assert world.stage() == MergeStage.CHECKING
    assert world.state.merge.carried != old


def test_a_conflict_told_twice_starts_one_merge_terminal() -> None:
    world = merging("coder", merge=HelperPlan(cli="resolver", attempts=3))
    world.find_conflict()
    world.store([world.queue[-1]])
    world.drain()
    assert world.state.merge.repairs == 1


def test_a_build_told_twice_does_not_forget_the_runs_of_its_tests() -> None:
    world = merging("coder", test_retries=1)
    observes(world, "builds")
    again = world.past[-1]
    assert isinstance(again, facts.MergeStarted)
    observes(world, "tests red")
    world.store([again])
    world.drain()
    assert world.state.merge.runs == 1
