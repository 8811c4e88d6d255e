"""Scenes with an orchestrator: it is asked, and answers as the test says."""

from typing import Any, get_args

from bus import facts
from bus.plan_orchestrator import May, Orchestrator
from bus.questions import Question
from bus.status import QuestionStage
from store.change import update_question
from tests.actors.workflow.decisions.decisions_scene import (
    running,
    told,
)
from tests.actors.workflow.decisions.decisions_world import World

ALL: list[May] = list(get_args(May))


def mind(**settings: Any) -> Orchestrator:
    return Orchestrator(api_type="openai", model="m", **{"may": ALL, **settings})


def thinking(*lines: str, **settings: Any) -> World:
    """A workflow at work that has an orchestrator."""
    return running(*lines, orchestrator=mind(**settings))


def question(world: World, number: int = 0) -> Question:
    """The question with this number; the newest with 0."""
    return world.state.questions[number - 1]


def stops(world: World, where: str = "demo/a/1/", missing: str = "no commit") -> None:
    """A terminal has used up its nudges."""
    terminal = world.find(where)
    fact = facts.TerminalIdle(
        address=where, incarnation=terminal.incarnation, step=terminal.step, missing=missing
    )
    world.store([fact])
    world.drain()


def asked(world: World) -> Question:
    """The orchestrator's actor has asked the newest question."""
    row = question(world)
    expect: Any = {"stage": QuestionStage.WANTED}
    world.store([update_question("demo", row.number, expect, stage=QuestionStage.ASKED, at="2026")])
    return question(world)


def answer(world: World, tokens: int = 100, **said: Any) -> facts.OrchestratorActed | None:
    """The newest question is asked and answered; return what became of that."""
    row = question(world)
    if row.stage == QuestionStage.WANTED:
        row = asked(world)
    keys = ("refused", "error", "cut", "spent")
    fact = facts.OrchestratorAnswered(
        address="demo/",
        question=row.number,
        proposal={k: v for k, v in said.items() if k not in keys},
        **{k: v for k, v in said.items() if k in keys},
    )
    change: Any = {"stage": QuestionStage.ANSWERED, "tokens": tokens, "reserved": 0}
    world.store([update_question("demo", row.number, cut=bool(said.get("cut")), **change), fact])
    world.settle(merger=False)
    found = [f for f in told(world, facts.OrchestratorActed) if f.question == row.number]
    return found[-1] if found else None
