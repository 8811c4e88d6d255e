"""Commands: taken in the states they are for, refused in every other, with the way on."""

from collections.abc import Callable

import pytest

from actors.workflow.decisions.decide import decide
from bus import facts, requests
from bus.errors import Refused
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_scene import (
    ABORT,
    APPROVE,
    CONTINUE,
    PAUSE,
    PREPARE,
    REJECT,
    REPAIR,
    RESUME,
    RETRY,
    START,
    STOP,
    created,
    merging,
    observes,
    orders,
    running,
    says,
)
from tests.actors.workflow.decisions.decisions_world import World


def starting() -> World:
    world = created("coder", "coder")
    world.order(PREPARE)
    return world


def ready() -> World:
    world = created("coder", "coder")
    world.finish(WorkflowStatus.READY)
    return world


def paused() -> World:
    world = running("coder", "coder")
    world.order(PAUSE)
    return world


def reviewing() -> World:
    world = running("coder", "coder")
    says(world, "a", "review")
    return world


def one_failed() -> World:
    world = running("coder", "coder")
    says(world, "a", "fail")
    return world


def failed() -> World:
    world = one_failed()
    says(world, "b", "done")
    return world


def rolled_back() -> World:
    world = starting()
    world.fail_launch(world.find("demo/a/1/"))
    world.settle()
    return world


def conflict() -> World:
    world = merging("coder", "coder")
    observes(world, "finds a conflict")
    return world


def red() -> World:
    world = merging("coder", "coder")
    observes(world, "builds")
    observes(world, "tests red")
    return world


def completed() -> World:
    world = created("coder")
    world.finish()
    return world


def stopped() -> World:
    world = running("coder")
    world.order(STOP)
    return world


REPAIR_WITH = requests.WorkflowRepair(workflow="demo", cli="codex")
COMMANDS: dict[str, requests.Command] = {
    "prepare": PREPARE,
    "start": START,
    "pause": PAUSE,
    "resume": RESUME,
    "stop": STOP,
    "repair": REPAIR,
    "repair --cli": REPAIR_WITH,
    "retry": RETRY,
    "approve": APPROVE,
    "reject": REJECT,
    "continue": CONTINUE,
    "abort": ABORT,
}
TAKEN: dict[Callable[[], World], set[str]] = {
    lambda: created("coder"): {"prepare", "stop"},
    starting: {"stop"},
    ready: {"start", "stop"},
    lambda: running("coder", "coder"): {"pause", "stop"},
    reviewing: {"pause", "stop", "approve", "reject"},
    one_failed: {"pause", "stop", "retry", "repair", "repair --cli"},
    paused: {"resume", "stop"},
    lambda: merging("coder", "coder"): {"stop", "abort"},
    conflict: {"stop", "continue", "abort", "repair", "repair --cli"},
    rolled_back: {"prepare", "stop"},
    failed: {"stop", "retry", "repair", "repair --cli"},
    red: {"stop", "repair", "repair --cli", "continue"},
    completed: set(),
    stopped: set(),
}
NAMES = [
    "created", "starting", "ready", "running", "reviewing", "one_failed", "paused", "merging",
    "conflict", "rolled_back", "failed", "red", "completed", "cancelled",
]  # fmt: skip


@pytest.mark.parametrize("scene", TAKEN, ids=NAMES)
def test_each_command_is_taken_where_it_is_for_and_else_refused_with_the_way_on(
    scene: Callable[[], World],
) -> None:
    world = scene()
    taken = set()
    for name, command in COMMANDS.items():
        try:
            assert decide(world.state, world.plan, command, token="t", now="now")
            taken.add(name)
        except Refused as refusal:
            body = refusal.body
            assert body.code == 400, name
            assert body.reason.replace("_", "").isalpha(), name
            assert body.message, name
            assert body.actions, name
    assert taken == TAKEN[scene]


@pytest.mark.parametrize("kind", [requests.TaskRetry, requests.TaskApprove, requests.TaskReject])
def test_a_task_that_is_not_there_is_404(kind: type) -> None:
    world = running("coder")
    more = {"reason": "x"} if kind is requests.TaskReject else {}
    with pytest.raises(Refused) as refusal:
        decide(world.state, world.plan, kind(task="demo/z/", **more), token="t", now="now")
    assert refusal.value.body.code == 404


@pytest.mark.parametrize("scene", [s for s in TAKEN if "stop" in TAKEN[s]])
def test_stop_ends_every_program_and_nothing_begins_any_more(scene: Callable[[], World]) -> None:
    world = scene()
    orders(world, STOP)
    assert world.status() == WorkflowStatus.CANCELLED
    assert all(t.gone and not t.shall_run and not t.wanted for t in world.state.terminals())
    assert all(
        t.status in (TaskStatus.CANCELLED, TaskStatus.COMPLETED, TaskStatus.FAILED)
        for t in world.state.tasks
    )
    assert not world.must()


def test_a_completion_after_stop_is_not_taken() -> None:
    world = running("coder")
    world.commit("demo/a/", "done")
    late = world.queue.pop()
    world.order(STOP)
    world.queue.append(late)
    world.drain()
    assert world.task("a").status == TaskStatus.CANCELLED
    assert world.state.handled == late.seq


def test_pause_starts_nothing_and_programs_that_run_go_on() -> None:
    world = running("coder", "coder", max_terminals=1)
    orders(world, PAUSE)
    says(world, "a", "done")
    assert world.task("a").status == TaskStatus.COMPLETED
    assert world.find("demo/b/1/").status == TerminalStatus.NOT_STARTED
    orders(world, RESUME)
    assert world.find("demo/b/1/").status == TerminalStatus.RUNNING


def test_all_tasks_may_complete_while_paused_and_resume_merges() -> None:
    world = running("coder")
    orders(world, PAUSE)
    says(world, "a", "done")
    assert world.status() == WorkflowStatus.PAUSED
    orders(world, RESUME)
    assert world.status() == WorkflowStatus.MERGING


def test_a_launch_under_way_when_paused_gets_ready_and_waits() -> None:
    world = running("coder", "coder", max_terminals=1)
    world.commit("demo/a/", "done")
    while world.find("demo/b/1/").status != TerminalStatus.STARTING:
        world.walk(world.must()[0])
    orders(world, PAUSE)
    assert world.find("demo/b/1/").status == TerminalStatus.WAITING
    orders(world, RESUME)
    assert world.find("demo/b/1/").status == TerminalStatus.RUNNING


def test_freeze_is_kept_until_resume_or_stop() -> None:
    freeze = requests.WorkflowPause(workflow="demo", freeze=True)
    for end in (RESUME, STOP):
        world = running("coder")
        orders(world, freeze)
        assert world.state.frozen
        orders(world, end)
        assert not world.state.frozen


def test_no_refused_command_changes_anything() -> None:
    world = running("coder")
    before = world.head
    assert not world.order(START)
    assert world.head == before


def test_what_a_person_orders_says_so() -> None:
    world = running("coder")
    orders(world, STOP)
    moved = [f for f in world.told if isinstance(f, facts.WorkflowMoved)][-1]
    assert "person" in moved.reason


def test_what_was_frozen_has_its_timeout_anew() -> None:
    world = running("coder", "coder")
    before = world.find("demo/a/1/").working_since
    pause, later = requests.WorkflowPause(workflow="demo", freeze=True), "2026-11-23T12:00:00Z"
    for order in (pause, RESUME):
        world.store(decide(world.state, world.plan, order, token="t", now=later))
    assert world.find("demo/a/1/").working_since == later != before
    for order in (PAUSE, RESUME):
        world.store(decide(world.state, world.plan, order, token="t", now="2026-11-24T12:00:00Z"))
    assert world.find("demo/a/1/").working_since == later, "what ran on in a pause has worked"
