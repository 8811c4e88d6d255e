"""Tasks that come after others: when they begin, on what base, and what holds them."""

from itertools import combinations, product

import pytest

from bus import facts, requests
from bus.status import MergeStage, TaskStatus, TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_scene import (
    ABORT,
    CONTINUE,
    MERGE,
    PAUSE,
    PREPARE,
    REJECT,
    RESUME,
    RETRY,
    STOP,
    created,
    merge_says,
    observes,
    orders,
    plan,
    running,
    says,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World

AFTER_BOTH = {"c": ["a", "b"]}


def both_done(**settings: object) -> World:
    """`a` and `b` have completed, and the base of `c` is to be merged."""
    world = running("coder", "coder", "coder", after=AFTER_BOTH, **settings)
    says(world, "a", "done")
    says(world, "b", "done")
    assert world.state.merge.task == "demo/c/"
    return world


def test_prepare_starts_only_what_can_work_soon() -> None:
    world = created("coder", "coder reviewer", after={"b": ["a"]})
    world.order(PREPARE)
    world.settle()
    assert world.status() == WorkflowStatus.READY
    started = [t.address for t in world.state.terminals() if t.incarnation]
    assert started == ["demo/a/1/"]


def test_it_begins_on_the_merge_when_both_have_completed() -> None:
    world = running("coder", "coder", "coder reviewer", after=AFTER_BOTH)
    says(world, "a", "done")
    assert world.task("c").reason == "waits for demo/b/"
    assert world.state.merge.stage == MergeStage.IDLE
    says(world, "b", "done")
    assert world.task("c").reason == "its base is being merged"
    observes(world, "makes the base")
    task = world.task("c")
    assert task.base.startswith("base")
    assert task.tip == task.base
    assert task.status == TaskStatus.RUNNING
    assert [t.status for t in task.terminals] == [TerminalStatus.RUNNING, TerminalStatus.WAITING]
    (based,) = told(world, facts.TaskBased)
    assert based.branches == ["feat/a", "feat/b"]
    assert [f.reason for f in told(world, facts.TaskWaits)] == [
        "waits for demo/a/, demo/b/",
        "waits for demo/b/",
        "its base is being merged",
    ]
    says(world, "c", "done")
    says(world, "c", "done")
    assert world.status() == WorkflowStatus.MERGING


def test_a_failed_dependency_leaves_the_rest_pending_and_retry_sets_it_free() -> None:
    world = running("coder", "coder", "coder", "coder", after={"b": ["a"], "c": ["b"]})
    says(world, "a", "fail")
    assert [world.task(id).status for id in "bc"] == [TaskStatus.PENDING] * 2
    assert [world.task(id).reason for id in "bc"] == ["demo/a/ failed"] * 2
    assert world.status() == WorkflowStatus.RUNNING, "d works"
    says(world, "d", "done")
    assert world.status() == WorkflowStatus.FAILED
    assert world.state.reason == "demo/a/ failed"
    orders(world, RETRY)
    says(world, "a", "done")
    observes(world, "makes the base")
    assert world.task("b").status == TaskStatus.RUNNING
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


def test_a_conflict_is_resolved_by_the_merge_terminal_and_kept_for_the_landing() -> None:
    world = both_done(merge=MERGE)
    observes(world, "finds a conflict")
    assert world.find("demo/merge/").status == TerminalStatus.RUNNING
    assert world.status() == WorkflowStatus.RUNNING
    merge_says(world, "done")
    observes(world, "accepts the resolution")
    resolution = world.state.merge.resolution
    assert resolution
    observes(world, "makes the base")
    assert world.task("c").carried == resolution
    assert world.find("demo/merge/").status == TerminalStatus.COMPLETED
    assert world.state.merge.stage == MergeStage.IDLE
    says(world, "c", "done")
    assert world.status() == WorkflowStatus.MERGING
    assert world.state.merge.carried == ""
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


def test_a_person_resolves_a_conflict_and_goes_on() -> None:
    world = both_done()
    observes(world, "finds a conflict")
    world.check_not_stuck()
    assert world.status() == WorkflowStatus.RUNNING
    orders(world, CONTINUE)
    assert world.state.merge.stage == MergeStage.BY_HAND
    observes(world, "accepts the resolution")
    observes(world, "makes the base")
    assert world.task("c").status == TaskStatus.RUNNING


@pytest.mark.parametrize("way", ["abort", "refused"])
def test_a_base_that_cannot_be_merged_holds_its_task_alone(way: str) -> None:
    world = running("coder", "coder", "coder", after={"b": ["a"]})
    says(world, "a", "done")
    if way == "abort":
        observes(world, "finds a conflict")
        orders(world, ABORT)
    else:
        observes(world, "refuses")
    assert world.task("b").held.startswith("its base cannot be merged")
    assert world.task("b").reason == world.task("b").held
    assert world.status() == WorkflowStatus.RUNNING
    says(world, "c", "done")
    assert world.status() == WorkflowStatus.FAILED
    assert world.state.reason == "demo/b/ cannot begin"
    orders(world, requests.TaskRetry(task="demo/b/"))
    assert world.state.merge.task == "demo/b/"
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


def test_a_base_whose_task_before_is_reopened_is_left_and_made_again() -> None:
    world = both_done()
    world.commit("demo/a/", "")
    world.settle(merger=False)
    assert world.task("a").status == TaskStatus.REVIEW_PENDING
    assert world.state.merge.task == ""
    assert world.task("c").reason == "waits for demo/a/"
    orders(world, requests.TaskApprove(task="demo/a/"))
    assert world.state.merge.task == "demo/c/"
    observes(world, "makes the base")
    assert world.task("c").status == TaskStatus.RUNNING


def test_a_base_that_was_made_of_what_is_rejected_meanwhile_is_not_taken() -> None:
    world = both_done()
    dict(world.merger_steps())["makes the base"]()
    fact = world.queue.pop()
    world.commit("demo/a/", "")
    world.drain()
    orders(world, REJECT)
    fact.seq = world.head + 1
    world.decide(fact)
    assert world.task("c").base == ""


def test_one_that_waits_for_itself_is_not_retried_and_all_is_stopped() -> None:
    world = running("coder", "coder", after={"b": ["a"]})
    assert not world.order(requests.TaskRetry(task="demo/b/"))
    orders(world, STOP)
    assert world.task("b").status == TaskStatus.CANCELLED


def test_nothing_begins_while_paused() -> None:
    world = running("coder", "coder", after={"b": ["a"]})
    orders(world, PAUSE)
    says(world, "a", "done")
    assert world.state.merge.task == ""
    orders(world, RESUME)
    observes(world, "makes the base")
    assert world.task("b").status == TaskStatus.RUNNING


PAIRS = [*combinations("abc", 2)]


@pytest.mark.parametrize("chosen", [*product((0, 1), repeat=len(PAIRS))])
@pytest.mark.parametrize("places", [1, 8])
def test_every_graph_of_three_tasks_lands(chosen: tuple[int, ...], places: int) -> None:
    after: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    for taken, (before, later) in zip(chosen, PAIRS, strict=True):
        if taken:
            after[later].append(before)
    world = World(plan("coder", "coder reviewer", "coder", after=after, max_terminals=places))
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED
    done = [f.address for f in told(world, facts.TaskMoved) if f.new == TaskStatus.COMPLETED]
    for later, names in after.items():
        for before in names:
            assert done.index(f"demo/{before}/") < done.index(f"demo/{later}/")
