"""Changes of the plan while it runs: each a fact, each checked like a plan."""

import msgspec
import pytest

from actors.workflow.decisions.decide import decide
from bus import facts, requests
from bus.action import Do
from bus.errors import Refused
from bus.plan_requests import (
    InstructionReplace,
    PlanSet,
    TaskAdd,
    TaskCancel,
    TaskMove,
    TerminalAdd,
)
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_scene import (
    CONTINUE,
    ERROR,
    PAUSE,
    PREPARE,
    created,
    merging,
    observes,
    orders,
    running,
    says,
    statuses,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World

TERMINAL = {"cli": "claude", "instruction": "do it"}
NEW = {"id": "n", "branch": "feat/n", "terminal": [TERMINAL]}
ADD = TaskAdd(workflow="demo", task=NEW)
CANCEL_A = TaskCancel(task="demo/a/")


def refusal(world: World, order: requests.Command) -> Refused:
    world.drain()
    with pytest.raises(Refused) as refused:
        decide(world.state, world.plan, order, token="t", now="2026-01-01T00:00:00Z")
    return refused.value


# ---- adding ------------------------------------------------------------------------------


def test_a_task_that_is_added_begins_at_once_and_is_merged() -> None:
    world = running("coder")
    orders(world, ADD)
    assert statuses(world, "n") == ["running", "running"]
    assert [t.id for t in world.plan.task] == ["a", "n"]
    (added,) = told(world, facts.TaskAdded)
    assert (added.address, added.branch) == ("demo/n/", "feat/n")
    world.finish()
    assert [t.branch for t in world.state.to_merge()] == ["feat/a", "feat/n"]


def test_a_task_that_is_added_after_another_waits_for_it() -> None:
    world = running("coder")
    orders(world, TaskAdd(workflow="demo", task={**NEW, "after": ["a"]}))
    assert statuses(world, "n") == ["pending", "not_started"]
    says(world, "a", "done")
    observes(world, "makes the base")
    assert statuses(world, "n") == ["running", "running"]


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ({**NEW, "id": "a"}, "task.id"),
        ({**NEW, "branch": "feat/a"}, "task.branch"),
        ({**NEW, "branch": "main"}, "task.branch"),
        ({**NEW, "after": ["x"]}, "task.after[0]"),
        ({**NEW, "after": ["n"]}, "task.after[0]"),
        ({**NEW, "colour": "red"}, "task.colour"),
        ({**NEW, "terminal": []}, "task.terminal"),
        ({**NEW, "terminal": [{"cli": "claude"}]}, "task.terminal[0].instruction"),
        ({}, "task.id"),
    ],
)
def test_a_task_that_is_no_task_of_a_plan_is_refused(task: dict[str, object], path: str) -> None:
    error = refusal(running("coder"), TaskAdd(workflow="demo", task=task))
    assert (error.body.code, error.body.path) == (422, path)


def test_a_task_is_added_before_the_start_while_paused_and_after_a_failure() -> None:
    world = created("coder")
    orders(world, ADD)
    assert not any(t.wanted for t in world.state.terminals())
    world.order(PREPARE)
    world.settle()
    assert [t.status for t in world.state.terminals()] == [TerminalStatus.WAITING] * 2
    world = running("coder")
    orders(world, PAUSE)
    orders(world, ADD)
    assert world.find("demo/n/1/").status == TerminalStatus.NOT_STARTED
    world.finish()
    world = running("coder")
    says(world, "a", "fail")
    assert world.status() == WorkflowStatus.FAILED
    orders(world, ADD)
    assert world.status() == WorkflowStatus.RUNNING
    says(world, "n", "done")
    assert world.status() == WorkflowStatus.FAILED
    world.finish()


def test_a_merge_takes_no_new_task() -> None:
    error = refusal(merging("coder"), ADD)
    assert error.body.reason == "merging"
    assert [a.do for a in error.body.actions] == ["merge.abort"]


def test_a_terminal_is_added_at_the_end_of_the_line() -> None:
    world = running("coder")
    orders(world, TerminalAdd(task="demo/a/", terminal={**TERMINAL, "role": "reviewer"}))
    says(world, "a", "review")
    assert statuses(world, "a") == ["review_pending", "running", "running"]
    says(world, "a", "pass")
    assert world.task("a").status == TaskStatus.COMPLETED
    (added,) = told(world, facts.TerminalAdded)
    assert (added.address, added.role) == ("demo/a/2/", "reviewer")
    assert refusal(world, TerminalAdd(task="demo/a/", terminal=TERMINAL)).body.code == 400


def test_a_terminal_that_is_no_terminal_is_refused_with_its_key() -> None:
    order = TerminalAdd(task="demo/a/", terminal={**TERMINAL, "role": "cook"})
    assert refusal(running("coder"), order).body.path == "terminal.role"


# ---- giving up ---------------------------------------------------------------------------


def test_a_task_that_is_given_up_ends_and_is_left_out_of_the_merge() -> None:
    world = running("coder reviewer", "coder")
    orders(world, CANCEL_A)
    assert statuses(world, "a") == ["cancelled", "cancelled", "cancelled"]
    assert not any(t.shall_run for t in world.task("a").terminals)
    says(world, "b", "done")
    assert world.status() == WorkflowStatus.MERGING
    assert world.state.reason == "every task has completed, without demo/a/"
    assert [t.id for t in world.state.to_merge()] == ["b"]
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


def test_those_after_it_are_named_and_go_on_without_it_when_a_person_says_so() -> None:
    world = running("coder", "coder", "coder", after={"b": ["a"], "c": ["b"]})
    orders(world, CANCEL_A)
    (fact,) = told(world, facts.TaskCancelled)
    assert fact.dependants == ["demo/b/", "demo/c/"]
    assert world.task("b").reason == "demo/a/ was cancelled"
    assert world.status() == WorkflowStatus.FAILED
    orders(world, requests.TaskRetry(task="demo/b/"))
    assert world.task("b").status == TaskStatus.RUNNING
    assert world.plan.task[1].after == []
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


def test_what_others_are_built_upon_is_not_given_up_before_them() -> None:
    world = running("coder", "coder", after={"b": ["a"]})
    says(world, "a", "done")
    observes(world, "makes the base")
    error = refusal(world, CANCEL_A)
    assert error.body.reason == "built_upon"
    assert error.body.actions[0].address == "demo/b/"
    orders(world, TaskCancel(task="demo/b/"))
    assert world.status() == WorkflowStatus.MERGING


def test_a_completed_task_that_makes_the_merge_red_is_left_out_of_the_next() -> None:
    world = merging("coder", "coder")
    observes(world, "builds")
    observes(world, "tests red")
    assert world.status() == WorkflowStatus.FAILED
    orders(world, CANCEL_A)
    assert world.status() == WorkflowStatus.MERGING
    assert [t.id for t in world.state.to_merge()] == ["b"]
    world.finish()
    assert world.status() == WorkflowStatus.COMPLETED


def test_a_failed_task_is_given_up_and_the_rest_lands() -> None:
    world = running("coder", "coder")
    says(world, "a", "fail")
    says(world, "b", "done")
    assert world.status() == WorkflowStatus.FAILED
    orders(world, CANCEL_A)
    assert world.status() == WorkflowStatus.MERGING


def test_a_task_under_repair_or_review_is_given_up_with_all_its_programs() -> None:
    world = running("coder", "coder", error=ERROR)
    says(world, "a", "fail")
    assert world.find("demo/a/error/").status == TerminalStatus.RUNNING
    orders(world, CANCEL_A)
    assert world.find("demo/a/error/").status == TerminalStatus.CANCELLED
    world = running("coder reviewer", "coder")
    says(world, "a", "review")
    orders(world, CANCEL_A)
    assert statuses(world, "a") == ["cancelled", "cancelled", "cancelled"]


def test_a_workflow_whose_tasks_are_all_given_up_is_over() -> None:
    world = running("coder", "coder")
    orders(world, CANCEL_A)
    orders(world, TaskCancel(task="demo/b/"))
    assert world.status() == WorkflowStatus.CANCELLED
    assert refusal(world, ADD).body.reason == "already_over"


def test_it_is_not_given_up_twice_nor_while_it_lands() -> None:
    world = running("coder", "coder")
    orders(world, CANCEL_A)
    assert refusal(world, CANCEL_A).body.reason == "already_over"
    assert refusal(merging("coder"), CANCEL_A).body.reason == "merging"


# ---- the order, instructions and keys ------------------------------------------------------


def test_the_order_of_merging_changes_but_not_against_the_graph() -> None:
    world = running("coder", "coder", "coder", after={"b": ["a"]})
    orders(world, TaskMove(task="demo/c/", position=1))
    assert [t.id for t in world.state.in_merge_order()] == ["c", "a", "b"]
    assert [t.id for t in world.plan.task] == ["c", "a", "b"]
    assert [t.position for t in world.state.tasks] == [1, 2, 3]
    assert told(world, facts.PlanChanged)[-1].changes == {"order": ["c", "a", "b"]}
    error = refusal(world, TaskMove(task="demo/b/", position=1))
    assert error.body.reason == "wrong_order"
    assert refusal(world, TaskMove(task="demo/a/", position=3)).body.reason == "wrong_order"


def test_an_instruction_is_replaced_before_it_was_sent_and_not_after() -> None:
    world = running("coder coder")
    order = InstructionReplace(terminal="demo/a/2/", instruction="another thing")
    orders(world, order)
    says(world, "a", "done")
    assert "another thing" in world.find("demo/a/2/").instruction
    error = refusal(world, order)
    assert error.body.reason == "already_sent"
    assert [a.do for a in error.body.actions] == ["terminal.send"]
    assert [f.bytes for f in told(world, facts.InstructionReplaced)] == [13]
    blank = InstructionReplace(terminal="demo/a/1/", instruction=" ")
    assert refusal(created("coder"), blank).body.path == "instruction"


def test_keys_of_the_plan_are_set_and_count_from_then_on() -> None:
    world = running("coder", "coder", max_terminals=1)
    assert world.find("demo/b/1/").status == TerminalStatus.NOT_STARTED
    orders(world, PlanSet(workflow="demo", max_terminals=2, test=["true"], test_timeout=5))
    assert world.find("demo/b/1/").status == TerminalStatus.RUNNING
    assert (world.plan.test, world.plan.test_timeout) == (["true"], 5)
    changes = {"max_terminals": 2, "test": ["true"], "test_timeout": 5}
    assert told(world, facts.PlanChanged)[-1].changes == changes


def test_the_test_of_a_merge_that_has_begun_stays() -> None:
    world = merging("coder")
    assert refusal(world, PlanSet(workflow="demo", test=["true"])).body.reason == "merging"
    orders(world, PlanSet(workflow="demo", test_retries=3))
    assert world.plan.test_retries == 3


def test_no_change_changes_the_plan_it_was_given() -> None:
    world = running("coder", "coder", after={"b": ["a"]})
    for order in (
        ADD,
        CANCEL_A,
        TerminalAdd(task="demo/a/", terminal=TERMINAL),
        InstructionReplace(terminal="demo/b/1/", instruction="x"),
        PlanSet(workflow="demo", max_terminals=2),
    ):
        before = msgspec.json.encode(world.plan)
        decide(world.state, world.plan, order, token="t", now="2026-01-01T00:00:00Z")
        assert msgspec.json.encode(world.plan) == before


def test_a_merge_that_was_given_up_goes_on_when_a_task_is_left_out() -> None:
    world = merging("coder", "coder")
    observes(world, "finds a conflict")
    orders(world, requests.MergeAbort(workflow="demo"))
    orders(world, CANCEL_A)
    assert world.status() == WorkflowStatus.MERGING
    assert not world.order(CONTINUE), "it goes on by itself"


# ---- found by random walks ---------------------------------------------------------------


def test_a_failed_workflow_whose_last_task_is_given_up_is_over() -> None:
    """Neither the retry that was offered nor an empty merge is left."""
    world = running("coder")
    says(world, "a", "fail")
    assert world.status() == WorkflowStatus.FAILED
    orders(world, CANCEL_A)
    assert world.status() == WorkflowStatus.CANCELLED
    refusal(world, CONTINUE)


def test_a_workflow_that_was_never_prepared_is_over_without_a_task() -> None:
    world = created("coder")
    orders(world, CANCEL_A)
    assert world.status() == WorkflowStatus.CANCELLED


def test_a_task_under_repair_takes_no_terminal() -> None:
    """Its error terminal has been told all that the task is, and completes it."""
    world = running("coder", "coder", error=ERROR)
    says(world, "a", "fail")
    assert world.find("demo/a/error/").works
    error = refusal(world, TerminalAdd(task="demo/a/", terminal=TERMINAL))
    assert (error.body.code, "demo/a/error/" in error.body.message) == (400, True)
    says(world, "a", "done")
    assert statuses(world, "a") == ["completed", "failed", "completed"]


def test_a_task_that_is_freed_after_a_failed_prepare_waits_for_the_next() -> None:
    """Otherwise the others would begin without the programs that were not started."""
    world = created("coder", "coder", after={"b": ["a"]}, max_terminals=2)
    orders(world, TaskAdd(workflow="demo", task=NEW))
    orders(world, CANCEL_A)
    assert world.order(PREPARE)
    world.fail_launch(world.find("demo/n/1/"))
    world.drain()
    assert world.status() == WorkflowStatus.FAILED
    orders(world, requests.TaskRetry(task="demo/b/"))
    assert world.status() == WorkflowStatus.FAILED
    assert [action.do for action in told(world, facts.RepairOffered)[-1].actions] == [
        Do.PREPARE,
        Do.WHY,
    ]
    world.finish()
    assert statuses(world, "n") == ["completed", "completed"]
    assert statuses(world, "b") == ["completed", "completed"]
