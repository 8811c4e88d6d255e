"""Prepare and start: serial, in order, whole or rolled back, at most `max_terminals`."""

import pytest

from bus import facts
from bus.action import Action, Do
from bus.kinds import Ending
from bus.status import TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_scene import (
    PREPARE,
    RETRY,
    START,
    STOP,
    created,
    orders,
    says,
    statuses,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World


def launches(world: World) -> list[str]:
    moved = [f for f in told(world, facts.TerminalMoved) if f.new == TerminalStatus.STARTING]
    return [f.address for f in moved]


def test_terminals_are_started_one_at_a_time_in_order_of_task_and_position() -> None:
    world = created("coder reviewer", "coder")
    assert world.order(PREPARE)
    started = []
    while world.state.status == WorkflowStatus.STARTING:
        (now,) = [t for t in world.state.terminals() if t.status == TerminalStatus.STARTING]
        started.append(now.address)
        world.ready(now)
        world.drain()
    assert started == ["demo/a/1/", "demo/a/2/", "demo/b/1/"]
    assert launches(world) == started
    assert world.status() == WorkflowStatus.READY
    assert all(t.status == TerminalStatus.WAITING for t in world.state.terminals())


def test_each_launch_is_a_new_incarnation_with_its_own_token() -> None:
    world = created("coder", "coder")
    world.finish(WorkflowStatus.READY)
    a, b = world.state.terminals()
    assert (a.incarnation, b.incarnation) == (1, 1)
    assert a.token
    assert a.token != b.token


def test_start_sets_the_first_of_each_task_to_work_and_only_those() -> None:
    world = created("coder reviewer", "coder")
    world.finish(WorkflowStatus.READY)
    assert not any(t.instruction for t in world.state.terminals())
    orders(world, START)
    assert statuses(world, "a") == ["running", "running", "waiting"]
    assert statuses(world, "b") == ["running", "running"]
    assert "a: work of the coder" in world.find("demo/a/1/").instruction
    assert world.find("demo/a/2/").instruction == ""


def test_max_terminals_bounds_what_is_started_and_the_rest_queues() -> None:
    world = created("coder", "coder", "coder", max_terminals=2)
    world.finish(WorkflowStatus.READY)
    assert launches(world) == ["demo/a/1/", "demo/b/1/"]
    assert "1 queue" in world.state.reason
    orders(world, START)
    assert statuses(world, "c") == ["pending", "not_started"]
    says(world, "a", "done")
    assert statuses(world, "c") == ["running", "running"]


def test_a_place_is_free_only_when_the_process_is_gone() -> None:
    world = created("coder", "coder", max_terminals=1)
    world.finish(WorkflowStatus.RUNNING)
    world.commit("demo/a/", "done")
    world.drain()
    assert statuses(world, "b") == ["pending", "not_started"]
    world.exit(world.find("demo/a/1/"))
    world.drain()
    assert statuses(world, "b") == ["pending", "starting"]


@pytest.mark.parametrize("how", ["launch", "exit"])
def test_a_launch_that_fails_rolls_the_whole_prepare_back_and_says_which_and_why(how: str) -> None:
    world = created("coder", "coder", "coder")
    world.order(PREPARE)
    world.ready(world.find("demo/a/1/"))
    world.drain()
    failing = world.find("demo/b/1/")
    world.fail_launch(failing) if how == "launch" else world.exit(failing, 127)
    world.drain()
    assert world.status() == WorkflowStatus.FAILED
    assert "demo/b/1/" in world.state.reason
    why = "no such program" if how == "launch" else "exited with status 127"
    assert why in world.state.reason
    a, b, c = world.state.terminals()
    assert (a.status, b.status, c.status) == ("cancelled", "failed", "not_started")
    assert not any(t.shall_run or t.wanted for t in world.state.terminals())
    assert world.offer is not None
    assert world.offer.actions[0] == Action(Do.PREPARE, "demo/")


def test_a_waiting_terminal_that_dies_before_the_start_rolls_back_too() -> None:
    world = created("coder", "coder")
    world.finish(WorkflowStatus.READY)
    world.exit(world.find("demo/b/1/"))
    world.settle()
    assert world.status() == WorkflowStatus.FAILED
    assert "demo/b/1/" in world.state.reason
    assert all(t.gone for t in world.state.terminals())


def test_prepare_again_keeps_the_order_though_programs_of_the_first_still_end() -> None:
    world = created("coder", "coder")
    world.finish(WorkflowStatus.READY)
    world.exit(world.find("demo/b/1/"))
    world.drain()
    assert not world.find("demo/a/1/").gone
    assert world.order(PREPARE)
    assert world.status() == WorkflowStatus.STARTING
    assert not any(t.status == TerminalStatus.STARTING for t in world.state.terminals())
    world.settle()
    assert world.status() == WorkflowStatus.READY
    assert launches(world)[2:] == ["demo/a/1/", "demo/b/1/"]


def test_it_is_not_ready_while_one_that_has_a_place_still_waits_for_its_old_process() -> None:
    world = created("coder", "coder", "coder")
    world.finish(WorkflowStatus.READY)
    a, b, c = world.state.terminals()
    world.exit(c)
    world.drain()
    world.exit(a)
    assert world.order(PREPARE)
    world.ready(world.find("demo/a/1/"))
    world.drain()
    assert world.status() == WorkflowStatus.STARTING
    world.exit(b)
    world.settle()
    assert world.status() == WorkflowStatus.READY
    assert all(t.status == TerminalStatus.WAITING for t in world.state.terminals())


def test_facts_of_a_dead_incarnation_change_nothing() -> None:
    """Hazard 9."""
    world = created("coder")
    world.finish(WorkflowStatus.READY)
    world.exit(world.find("demo/a/1/"))
    world.settle()
    world.order(PREPARE)
    before = statuses(world, "a")
    for fact in (
        facts.TerminalReady(address="demo/a/1/", incarnation=1),
        facts.LaunchFailed(address="demo/a/1/", incarnation=1, reason="late"),
        facts.TerminalExited(address="demo/a/1/", incarnation=1, kind=Ending.EXITED),
        facts.TimedOut(address="demo/a/1/", incarnation=1, seconds=1),
    ):
        world.store([fact])
    world.drain()
    assert statuses(world, "a") == before == ["pending", "starting"]


def test_a_fact_delivered_twice_is_decided_once() -> None:
    world = created("coder")
    world.order(PREPARE)
    world.exit(world.find("demo/a/1/"))
    fact = world.queue[0]
    world.drain()
    assert world.decide(fact) == []


def test_a_program_that_is_cancelled_while_it_starts_never_gets_ready() -> None:
    world = created("coder")
    world.order(PREPARE)
    starting = world.find("demo/a/1/")
    world.order(STOP)
    world.ready(starting)
    world.settle()
    assert statuses(world, "a") == ["cancelled", "cancelled"]


def test_one_that_only_waits_gives_its_place_up_where_all_would_wait_for_ever() -> None:
    """`a` waits for a person while its second coder holds the only place."""
    world = created("coder coder", "coder", max_terminals=1)
    world.finish(WorkflowStatus.RUNNING)
    says(world, "a", "review")
    assert statuses(world, "a")[0] == "review_pending"
    assert statuses(world, "b") == ["running", "running"]


def test_a_task_that_is_tried_again_comes_before_one_that_would_only_wait() -> None:
    world = created("coder coder", "coder", max_terminals=1)
    world.finish(WorkflowStatus.RUNNING)
    says(world, "a", "fail")
    assert statuses(world, "b") == ["running", "running"]
    orders(world, RETRY)
    says(world, "b", "done")
    assert statuses(world, "a") == ["running", "running", "not_started"]
