"""The caps of a plan: what is told, once, and what stops."""

from typing import Any

import pytest

from bus import facts
from bus.kinds import LimitKind
from bus.plan import Caps
from bus.status import WorkflowStatus
from store.change import Update
from tests.actors.workflow.decisions.decisions_scene import RESUME, orders, running, told
from tests.actors.workflow.decisions.decisions_world import World


def uses(world: World, tokens: int, cost: float = 0.0, where: str = "demo/a/1/") -> None:
    """A terminal tells that it has used so much more."""
    row = world.find(where)
    fact = facts.UsageCounted(
        address=where,
        incarnation=row.incarnation,
        step=row.step,
        account="x",
        input=tokens,
        output=0,
    )
    sums = {"tokens": row.tokens + tokens, "cost": row.cost + cost}
    world.store([Update("terminal", where, sums), fact])
    world.settle(merger=False)


def status(world: World) -> str:
    return str(world.state.status)


def reached(world: World) -> list[tuple[str, int]]:
    return [(fact.address, fact.percent) for fact in told(world, facts.LimitReached)]


def test_each_share_is_told_once_and_the_whole_pauses_the_workflow() -> None:
    world = running("coder", limits=Caps(tokens=100))
    for tokens in (79, 1, 5, 14, 1, 1):
        uses(world, tokens)
    assert reached(world) == [("demo/", 80), ("demo/", 100)]
    assert status(world) == "paused"
    orders(world, RESUME)
    uses(world, 80)
    assert status(world) == "running"
    uses(world, 30)
    assert reached(world)[2:] == [("demo/", 180), ("demo/", 200)]
    assert status(world) == "paused"


def test_a_leap_over_several_shares_is_one_fact_and_one_pause() -> None:
    world = running("coder", limits=Caps(tokens=100, hard=True))
    uses(world, 350)
    assert reached(world) == [("demo/", 300)]
    assert (world.state.status, world.state.frozen) == (WorkflowStatus.PAUSED, True)


def test_the_cost_counts_as_the_tokens_do() -> None:
    world = running("coder", limits=Caps(tokens=1000, cost=2.0))
    uses(world, 1, cost=2.5)
    (fact,) = told(world, facts.LimitReached)
    assert (fact.of, fact.used, fact.cap, fact.percent) == ("cost", 2.5, 2.0, 100)


@pytest.mark.parametrize("scope", ["task", "terminal"])
def test_a_cap_of_a_task_or_a_terminal_holds_its_terminal_alone(scope: str) -> None:
    world = running("coder", "coder")
    asked: Any = world.plan.task[0] if scope == "task" else world.plan.task[0].terminal[0]
    asked.limits = Caps(tokens=10)
    uses(world, 10)
    assert world.find("demo/a/1/").limited == LimitKind.CAP
    assert world.find("demo/b/1/").limited == LimitKind.NONE
    assert status(world) == "running"
    assert reached(world) == [("demo/a/" if scope == "task" else "demo/a/1/", 100)]


def test_without_caps_nothing_is_told() -> None:
    world = running("coder")
    uses(world, 10**9)
    assert reached(world) == []
