"""Our supervisor does what Erlang/OTP's does, step by step, in every recorded scenario.

`OTP_TRACES` names another file of the same form to use instead of the recorded one.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from actors.supervision import tree as tree_module
from actors.supervision.actor import Actor, handles
from actors.supervision.errors import NoSupervisor, StartFailed, SupervisorError
from actors.supervision.inspection import Node
from actors.supervision.ref import SupervisorRef
from actors.supervision.spec import Restart, Spec, Strategy, SupervisorSpec, worker
from actors.supervision.supervisor import Supervisor
from actors.supervision.tree import start_tree

PATIENCE = 60.0  # seconds
HOUR = 3600.0
TRACES = Path(os.environ.get("OTP_TRACES", Path(__file__).parent / "supervisor_traces.json"))
SCENARIOS = json.loads(TRACES.read_text(encoding="utf-8"))["scenarios"]


@dataclass(frozen=True)
class Crash:
    pass


@dataclass(frozen=True)
class ExitNormally:
    pass


class ToldTo(Exception):
    """The reason the recorded workers gave for a start that was told to fail."""


class Crashed(Exception):
    pass


class World:
    """What the actors of one scenario write down, and what they were told to do."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.starts: Counter[str] = Counter()
        self.to_fail: Counter[str] = Counter()
        self.actors: dict[str, Actor] = {}  # by id, the one that started last

    def take_log(self) -> list[str]:
        log, self.log = self.log, []
        return log


class Worker(Actor):
    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        self.world = world
        self.name = name

    def on_start(self) -> None:
        if self.world.to_fail[self.name] > 0:
            self.world.to_fail[self.name] -= 1
            self.world.log.append(f"fail:{self.name}")
            raise ToldTo
        self.world.actors[self.name] = self
        self.world.starts[self.name] += 1
        self.world.log.append(f"start:{self.name}")

    def on_stop(self) -> None:
        if self.stop_ordered:
            self.world.log.append(f"stop:{self.name}")

    @handles(Crash)
    def crash(self, _message: Crash) -> None:
        self.world.log.append(f"crash:{self.name}")
        raise Crashed

    @handles(ExitNormally)
    def exit_normally(self, _message: ExitNormally) -> None:
        self.world.log.append(f"exit:{self.name}")
        self.stop()


class LoggedSupervisor(Supervisor):
    """Our supervisor, which logs that its start begins, as the recorded ones did."""

    world: World

    def on_start(self) -> None:
        name = self.address.split("/")[-2]
        self.world.actors[name] = self
        if name != "root":
            self.world.log.append(f"start:{name}")
        super().on_start()


class Player:
    """Plays one scenario with a real tree of real actors."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.world = World()
        self.scenario = scenario

    def start(self) -> str:
        self.tree = start_tree(self.supervisor_spec("root", "permanent", self.scenario))
        return "started"

    def spec(self, child: dict[str, Any]) -> Spec:
        if "supervisor" in child:
            return self.supervisor_spec(child["id"], child["restart"], child["supervisor"])
        return worker(
            child["id"], Worker, self.world, child["id"], restart=Restart(child["restart"])
        )

    def supervisor_spec(self, name: str, restart: str, flags: dict[str, Any]) -> SupervisorSpec:
        return SupervisorSpec(
            name,
            strategy=Strategy(flags["strategy"]),
            intensity=flags["intensity"],
            period=HOUR,
            restart=Restart(restart),
            children=tuple(self.spec(child) for child in flags["children"]),
        )

    def do(self, step: dict[str, Any]) -> str:
        match step["do"]:
            case "crash":
                return self.send(step["child"], Crash())
            case "exit_normal":
                return self.send(step["child"], ExitNormally())
            case "fail_next_start":
                self.world.to_fail[step["child"]] = step["times"]
                return "ok"
            case _:
                return self.call(step)

    def send(self, name: str, message: object) -> str:
        """Tell a worker to end, and wait until all supervisors above have dealt with it."""
        actor = self.world.actors.get(name)
        if actor is None or actor.life.done.is_set():
            return "not_running"
        assert self.tree.directory.deliver(actor.address, message)
        assert actor.life.done.wait(PATIENCE)
        *above, _ = actor.address.rstrip("/").split("/")
        for supervisor in reversed(above):
            self.settle(supervisor)
        return "ok"

    def settle(self, name: str) -> None:
        """Wait until that supervisor has nothing left to do, or is over.

        The child's end was put into its mailbox before the question, so the answer comes after it;
        while it still tries to restart a child, ask again.
        """
        supervisor = self.world.actors[name]
        ref = self.tree.supervisor(supervisor.address)
        try:
            while any(child.state == "restarting" for child in ref.which_children()):
                pass
        except NoSupervisor:
            assert supervisor.life.done.wait(PATIENCE)

    def call(self, step: dict[str, Any]) -> str:
        try:
            self.ask(self.tree.supervisor(self.world.actors[step["supervisor"]].address), step)
        except LookupError:
            return "no_supervisor"
        except StartFailed as failed:
            # The recorder kept a reason that was an atom, and wrote `error` for any other. What
            # `start_child` answers is a tuple, and so is the reason of a nested supervisor.
            alone = step["do"] == "restart" and isinstance(failed.error, ToldTo)
            return "told_to" if alone else failed.answer
        except SupervisorError as refusal:
            return refusal.answer
        return "ok"

    def ask(self, supervisor: SupervisorRef, step: dict[str, Any]) -> None:
        match step["do"]:
            case "terminate":
                supervisor.terminate_child(step["child"])
            case "restart":
                supervisor.restart_child(step["child"])
            case "delete":
                supervisor.delete_child(step["child"])
            case "add":
                supervisor.start_child(self.spec(step["spec"]))
            case other:
                raise ValueError(other)

    def stop(self) -> str:
        assert self.tree.stop(PATIENCE)
        return "stopped"

    def picture(self) -> str:
        root = self.tree.inspect()
        return "dead" if root.state == "stopped" else self.row(root)

    def row(self, supervisor: Node) -> str:
        return " ".join(self.cell(child) for child in supervisor.children)

    def cell(self, node: Node) -> str:
        if node.state == "stopped":
            return f"{node.id}=stopped"
        if node.kind == "supervisor":
            return f"{node.id}=({self.row(node)})"
        # Not `node.incarnation`, which counts the starts that failed as well.
        return f"{node.id}={node.state}#{self.world.starts[node.id]}"

    def observe(self, result: str) -> dict[str, Any]:
        return {"result": result, "log": self.world.take_log(), "tree": self.picture()}

    def play(self) -> None:
        trace = iter(self.scenario["trace"])
        assert self.observe(self.start()) == next(trace), "at the start"
        for number, step in enumerate(self.scenario["steps"], 1):
            assert self.observe(self.do(step)) == next(trace), f"step {number}: {step}"
        assert self.observe(self.stop()) == next(trace), "at the stop"
        assert next(trace, None) is None


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    def play(scenario: dict[str, Any]) -> None:
        player = Player(scenario)
        kind = type("Logged", (LoggedSupervisor,), {"world": player.world})
        monkeypatch.setattr(tree_module, "make_supervisor", kind)
        player.play()

    return play


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[s["name"] for s in SCENARIOS])
def test_the_supervisor_does_what_otp_does(
    scenario: dict[str, Any], play: Callable[[dict[str, Any]], None]
) -> None:
    play(scenario)


@pytest.mark.long
@pytest.mark.parametrize("_repetition", range(20))
def test_it_does_so_every_time(_repetition: int, play: Callable[[dict[str, Any]], None]) -> None:
    for scenario in SCENARIOS:
        play(scenario)
