"""Random walks of a simulated world.

Whatever happens, in whatever order, every rule of `decisions_world.check` holds, nothing is ever
stuck, and from everywhere it can land.
"""

import random
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus import requests
from bus.kinds import Role
from bus.plan import HelperPlan, Plan, TaskPlan, TerminalPlan
from bus.plan_orchestrator import Orchestrator
from bus.status import WorkflowStatus
from tests.actors.workflow.decisions.decisions_mind import ALL
from tests.actors.workflow.decisions.decisions_stage import Step
from tests.actors.workflow.decisions.decisions_world import World

BEGINNINGS = (
    WorkflowStatus.CREATED,
    WorkflowStatus.READY,
    WorkflowStatus.RUNNING,
    WorkflowStatus.MERGING,
)
"""A walk begins where all went well up to here, so that the late states are seen too."""

ROLES = (Role.CODER, Role.REVIEWER, Role.CODER)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    return make_plan(lambda low, high: draw(st.integers(low, high)))


def make_plan(pick: Callable[[int, int], int]) -> Plan:
    """A plan from choices between two numbers, both included."""
    tasks = []
    for n in range(pick(1, 4)):
        first = TerminalPlan(cli="claude", instruction="write it", keep=pick(0, 1) == 1)
        more = [
            TerminalPlan(
                cli="claude", instruction=f"step {i}", role=ROLES[pick(1, 2)], keep=first.keep
            )
            for i in range(pick(0, 2))
        ]
        after = [f"t{m}" for m in range(n) if pick(0, 2) == 0]
        tasks.append(
            TaskPlan(
                id=f"t{n}",
                branch=f"feat/t{n}",
                terminal=[first, *more],
                after=after,
                check=["check"] if pick(0, 2) == 0 else None,
            )
        )
    attempts = pick(0, 2), pick(0, 2)
    asked = Orchestrator(api_type="openai", model="m", may=ALL, max_calls=40)
    helper = [HelperPlan(cli="helper", attempts=n) if n else None for n in attempts]
    return Plan(
        name="demo",
        repo="/nowhere",
        task=tasks,
        test=["pytest"] if pick(0, 3) else None,
        test_retries=pick(0, 1),
        max_terminals=pick(1, 4),
        max_review_rounds=pick(1, 3),
        merge=helper[0],
        error=helper[1],
        orchestrator=asked if pick(0, 2) == 0 else None,
    )


def walk(plan: Plan, numbers: list[int], world: World | None = None) -> World:
    world = world or World(plan)
    try:
        world.finish(BEGINNINGS[numbers[0] % 4] if numbers else WorkflowStatus.CREATED)
        for number in numbers[1:]:
            world.walk(choose(world, number))
        world.settle()
        world.check_not_stuck()
        world.finish()
        assert plan.orchestrator is not None or not world.state.questions, "nobody is to be asked"
    except BaseException as error:
        error.add_note("\n".join(world.trace))
        error.add_note(repr(plan))
        raise
    return world


def choose(world: World, number: int) -> Step:
    """Mostly the world's own course, now and then a person, a late or a repeated fact."""
    kind, detail = number % 20, number // 20
    if kind == 0:
        options = world.noise()
    elif kind == 1:
        options = [step for step in world.orders() if "Stop" not in step[0] or detail % 20 == 0]
    elif kind < 5 and not world.must():
        options = [(repr(c), partial(world.order, c)) for c in forward(world)]
    else:
        options = world.may() if kind < 10 else world.merger_steps() or world.must()
    options = options or [("deliver", world.drain)]
    return options[detail % len(options)]


def forward(world: World) -> list[requests.Command]:
    try:
        return [world.helpful()]
    except StopIteration:
        return []


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(plans(), st.lists(st.integers(0, 1 << 20), max_size=100))
def test_no_walk_breaks_a_rule_or_is_stuck(plan: Plan, numbers: list[int]) -> None:
    """Hazards 16, 48."""
    walk(plan, numbers)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("batch", range(20))
def test_many_long_walks(batch: int) -> None:
    for seed in range(batch * 1000, batch * 1000 + 1000):
        source = random.Random(seed)
        plan = make_plan(source.randint)
        walk(plan, [source.randrange(1 << 20) for _ in range(source.randint(0, 250))])
