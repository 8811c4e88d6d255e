"""Short words to set a scene in the simulated world of these tests."""

from typing import Any

from bus import requests
from bus.facts import Fact
from bus.kinds import Role
from bus.plan import HelperPlan, Plan, TaskPlan, TerminalPlan
from bus.status import TerminalStatus, WorkflowStatus
from tests.actors.workflow.decisions.decisions_world import World

ERROR = HelperPlan(cli="fixer")
MERGE = HelperPlan(cli="resolver")


def plan(
    *lines: str,
    after: dict[str, list[str]] | None = None,
    check: str = "",
    keep: bool = False,
    **settings: Any,
) -> Plan:
    """A plan with one task a line of roles.

    `plan("coder reviewer", "coder")` has the tasks `a` and `b`. It has a test unless told
    otherwise. `after` says which task comes after which, `check` which
    tasks have a check, and `keep` that programs are kept while their work is judged.
    """
    tasks = [
        TaskPlan(
            id=id,
            branch=f"feat/{id}",
            after=(after or {}).get(id, []),
            check=["check"] if id in check else None,
            terminal=[
                TerminalPlan(
                    cli="claude",
                    role=Role(word),
                    instruction=f"{id}: work of the {word}",
                    keep=keep,
                )
                for word in line.split()
            ],
        )
        for id, line in zip("abcd", lines, strict=False)
    ]
    return Plan(
        name="demo",
        repo="/nowhere",
        task=tasks,
        **{"test": ["pytest"], "max_terminals": 8, **settings},
    )


def created(*lines: str, **settings: Any) -> World:
    return World(plan(*lines, **settings))


def running(*lines: str, **settings: Any) -> World:
    """A workflow that was started, its first terminals at work."""
    world = created(*lines, **settings)
    world.finish(WorkflowStatus.RUNNING)
    world.settle(merger=False)
    return world


def merging(*lines: str, **settings: Any) -> World:
    """All tasks have completed and nothing is built yet."""
    world = created(*lines, **settings)
    world.finish(WorkflowStatus.MERGING)
    return world


def says(world: World, task: str, verdict: str, **names: str) -> None:
    """The terminal that works on `task` commits, and all that follows by itself happens."""
    world.commit(f"demo/{task}/", verdict, "", False, **names)
    world.settle(merger=False)


def merge_says(world: World, verdict: str) -> None:
    world.commit("demo/merge/", verdict)
    world.settle(merger=False)


def observes(world: World, step: str) -> None:
    """The merger observes `step`, one of what it can observe now."""
    dict(world.merger_steps())[step]()
    world.settle(merger=False)


def orders(world: World, command: requests.Command) -> None:
    """A person's command that must be taken, and what follows by itself."""
    assert world.order(command), f"refused: {command}"
    world.settle(merger=False)


def statuses(world: World, task: str) -> list[str]:
    """The task's status and those of its terminals."""
    found = world.task(task)
    return [found.status.value, *(t.status.value for t in found.terminals)]


def told(world: World, kind: type[Fact]) -> list[Any]:
    return [fact for fact in world.told if isinstance(fact, kind)]


PREPARE = requests.WorkflowPrepare(workflow="demo")
START = requests.WorkflowStart(workflow="demo")
PAUSE = requests.WorkflowPause(workflow="demo")
RESUME = requests.WorkflowResume(workflow="demo")
STOP = requests.WorkflowStop(workflow="demo")
REPAIR = requests.WorkflowRepair(workflow="demo")
CONTINUE = requests.MergeContinue(workflow="demo")
ABORT = requests.MergeAbort(workflow="demo")
RETRY = requests.TaskRetry(task="demo/a/")
APPROVE = requests.TaskApprove(task="demo/a/")
REJECT = requests.TaskReject(task="demo/a/", reason="the tests are missing\nand the docs")


def resolving(**settings: object) -> World:
    """A conflict, and the merge terminal works on it."""
    world = merging("coder", "coder", merge=MERGE, **settings)
    observes(world, "finds a conflict")
    assert world.find("demo/merge/").status == TerminalStatus.RUNNING
    return world
