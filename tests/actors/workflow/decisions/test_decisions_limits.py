"""What the policy does when a terminal's model refuses it."""

from typing import Any

import msgspec
import pytest

from bus import facts, requests
from bus.commit_words import Duty, instructions
from bus.kinds import LimitKind
from bus.rows import Terminal
from bus.status import TerminalStatus, WorkflowStatus
from store.change import AccountNews, Update
from tests.actors.workflow.decisions.decisions_scene import PAUSE, RETRY, orders, plan
from tests.actors.workflow.decisions.decisions_world import World


def world_with(line: str = "coder", **asked: Any) -> World:
    """A workflow at work whose terminals have these keys in the plan."""
    settings = plan(line)
    for terminal in settings.task[0].terminal:
        for name, value in asked.items():
            setattr(terminal, name, value)
    world = World(settings)
    world.finish(WorkflowStatus.RUNNING)
    world.settle(merger=False)
    return world


def first(world: World) -> Terminal:
    return world.find("demo/a/1/")


def type_all(world: World) -> None:
    """The terminal's actor types the newest instruction."""
    coder = first(world)
    world.store([Update("terminal", coder.address, {"sent": coder.step})])


def test_one_that_waits_is_left_alone_and_then_told_to_go_on() -> None:
    world = world_with()
    type_all(world)
    world.limit(first(world), LimitKind.USAGE)
    world.settle(merger=False)
    assert (first(world).step, first(world).limited) == (1, LimitKind.USAGE)
    world.end_limit(first(world))
    world.settle(merger=False)
    coder = first(world)
    assert (coder.step, coder.limited, coder.status) == (2, "", TerminalStatus.RUNNING)
    assert coder.instruction.endswith(instructions(Duty.CODE).strip())


def test_one_whose_instruction_was_kept_back_gets_no_other() -> None:
    world = world_with()
    world.limit(first(world), LimitKind.USAGE)
    world.end_limit(first(world))
    world.settle(merger=False)
    assert first(world).step == 1


def test_each_provider_of_the_fallback_is_used_once_and_then_it_waits() -> None:
    world = world_with(fallback=["two", "three"])
    for used in (1, 2, 2):
        world.limit(first(world), LimitKind.CREDIT)
        world.settle(merger=False)
        assert first(world).fallbacks == used
    assert first(world).incarnation == 3
    assert first(world).limited == LimitKind.CREDIT
    assert first(world).status == TerminalStatus.RUNNING


def test_the_plan_of_the_next_start_names_the_next_provider() -> None:
    world = world_with(fallback=["two"])
    fact = facts.TerminalLimited(
        address="demo/a/1/", incarnation=1, step=1, by=LimitKind.USAGE, account="x", seq=10_000
    )
    change = world.decide(fact)
    (update,) = [o for o in change if isinstance(o, Update) and "plan" in o.sets]
    assert msgspec.json.decode(update.sets["plan"])["provider"] == "two"


@pytest.mark.parametrize("policy", ["wait", "ask"])
def test_a_policy_may_keep_it_from_the_fallback(policy: str) -> None:
    world = world_with(fallback=["two"], limited=policy)
    world.limit(first(world), LimitKind.CREDIT)
    world.settle(merger=False)
    assert first(world).incarnation == 1


def test_a_full_conversation_is_shortened_once_and_then_begun_anew() -> None:
    world = world_with()
    world.limit(first(world), LimitKind.CONTEXT, "/compact")
    world.settle(merger=False)
    assert (first(world).instruction, first(world).limited) == ("/compact", "")
    world.limit(first(world), LimitKind.CONTEXT, "/compact")
    world.settle(merger=False)
    assert (first(world).incarnation, first(world).fresh) == (2, 1)
    assert "This work was begun before." in first(world).instruction


@pytest.mark.parametrize("command", [RETRY, requests.TerminalSend(terminal="demo/a/1/", text="go")])
def test_a_person_ends_the_wait_of_the_account(command: Any) -> None:
    world = world_with()
    type_all(world)
    world.limit(first(world), LimitKind.LOGIN)
    change = world.decide(command)
    freed = [o.fact for o in change if isinstance(o, AccountNews)]
    assert [(type(fact), fact.account) for fact in freed] == [(facts.ProviderRecovered, "x")]


def test_nothing_is_started_again_in_a_paused_workflow_before_it_goes_on() -> None:
    world = world_with(fallback=["two"])
    orders(world, PAUSE)
    world.limit(first(world), LimitKind.USAGE)
    world.settle(merger=False)
    assert first(world).incarnation == 1
    orders(world, requests.WorkflowResume(workflow="demo"))
    assert first(world).incarnation == 2
