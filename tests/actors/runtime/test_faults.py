"""Any actor of a running workflow may fail: the work ends as it would have without.

The fault is a message that no handler knows, put into the actor's mailbox: the base class
makes it a failure, and the supervisor acts. Nothing of this is known to the runtime.
"""

import json
import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.pty.ending import running_hosts
from bus.subscriber import Subscriber
from tests.actors.served import Served, flat
from tests.doors.kit import coder, commit, done, plan_text
from tests.repositories import git, make_repo

REVIEWED = [
    coder(commit("a", "a", "write a #review")),
    coder("$ git commit -q --allow-empty -m 'good #done'\n", role="reviewer"),
]


STRIKES = 0.1
"""Of all facts, after how many an actor is struck. An actor that fails seven times in a row is a
fact of its workflow, which a person answers: that is another test's."""


def submit(served: Served, where: Path, number: int) -> str:
    repo = make_repo(where / f"repo-{number}")
    text = plan_text(repo, {"a": REVIEWED, "b": [done("b")]}, head='test = ["ls", "a", "b"]')
    name: str = served.client.call("plan.submit", plan=text)["id"]
    return name


def _step(fact: dict[str, Any]) -> list[str]:
    return [fact["old"], fact["new"]] if fact["type"].endswith(".status") else []


def outcome(facts: list[dict[str, Any]], name: str) -> Counter[str]:
    """What happened to one workflow, without what depends on the moment of a fault."""
    passing = {"terminal.adopted", "instruction.delivered"}
    passing |= {"actor.failed", "actor.failing", "actor.restarted"}
    return Counter(
        json.dumps([f["type"], f["address"].partition("/")[2], *_step(f)])
        for f in facts
        if f["address"].startswith(f"{name}/") and f["type"] not in passing
    )


def check(facts: list[dict[str, Any]], names: list[str], where: Path) -> None:
    assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1))
    expected = outcome(facts, names[0])
    for number, name in enumerate(names):
        assert outcome(facts, name) == expected
        assert git(where / f"repo-{number}", "ls-tree", "--name-only", "main").split() == [
            "README", "a", "b",
        ]  # fmt: skip


def test_each_actor_of_a_running_workflow_may_fail_once_in_turn(
    served: Served, tmp_path: Path
) -> None:
    """The first workflow runs without faults.

    In the second every actor is hit as soon as it shows life. Hazard 20.
    """
    calm = submit(served, tmp_path, 0)
    served.client.call("workflow.prepare", workflow=calm)
    served.run_to_the_end([calm])
    name = submit(served, tmp_path, 1)
    targets = [
        f"runtime/workflows/{name}/watcher/", f"runtime/workflows/{name}/merger/", f"{name}/",
        f"{name}/a/1/", f"{name}/a/2/", f"{name}/b/1/", "runtime/launcher/", "runtime/publisher/",
    ]  # fmt: skip
    hit: set[str] = set()
    feed = Subscriber(served.at.feed, served.at.requests)

    def strike() -> None:
        while len(hit) < len(targets) and feed.next(20) is not None:
            for target in targets:
                if target not in hit and served.poison(target):
                    hit.add(target)
                    break

    striker = threading.Thread(target=strike)
    striker.start()
    served.client.call("workflow.prepare", workflow=name)
    facts = served.run_to_the_end([name])
    striker.join()
    feed.close()
    assert hit == set(targets)
    check(facts, [calm, name], tmp_path)
    failed = {f["address"] for f in facts if f["type"] == "actor.failed"}
    restarted = {f["address"] for f in facts if f["type"] == "actor.restarted"}
    assert {f"{name}/", f"runtime/workflows/{name}/watcher/"} <= failed & restarted


@pytest.mark.parametrize("seed", [1, 2])
def test_actors_fail_at_random_while_three_workflows_run(
    served: Served, tmp_path: Path, seed: int
) -> None:
    run_at_random(served, tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_actors_fail_at_random_many_times(served: Served, tmp_path: Path, seed: int) -> None:
    run_at_random(served, tmp_path, seed)


def run_at_random(served: Served, where: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = [submit(served, where, number) for number in range(3)]
    for name in names:
        served.client.call("workflow.prepare", workflow=name)
    feed = Subscriber(served.at.feed, served.at.requests)
    over = threading.Event()

    def strike() -> None:
        while not over.is_set():
            if feed.next(0.5) is not None and chance.random() < STRIKES:
                name = chance.choice(names)
                place = chance.choice(["watcher/", "merger/", "", "a/1/", "a/2/", "b/1/"])
                inner = f"runtime/workflows/{name}/{place}"
                served.poison(inner if place in ("watcher/", "merger/") else f"{name}/{place}")

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        facts = served.run_to_the_end(names)
    finally:
        over.set()
        striker.join()
        feed.close()
    check(facts, names, where)
    assert any(f["type"] == "actor.failed" for f in facts)


def test_the_tree_shows_each_actor_its_incarnation_its_last_error_and_its_host(
    served: Served, tmp_path: Path
) -> None:
    name = submit(served, tmp_path, 0)
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "ready")
    served.poison("runtime/launcher/")
    subscriber = Subscriber(served.at.feed, served.at.requests, address=f"{name}/")
    while True:
        subscriber.next(0.1)
        nodes = {n["address"]: n for n in flat(served.client.call("tree.inspect"))}
        if nodes["runtime/launcher/"]["restarts"]:  # counted when the new one has started
            break
    subscriber.close()
    launcher, terminal = nodes["runtime/launcher/"], nodes[f"{name}/a/1/"]
    assert (launcher["restarts"], launcher["incarnation"]) == (1, 2)
    assert "Poison" in launcher["last_error"]
    assert launcher["dead_letters"] == 1
    assert terminal["host_memory_kb"] > 1000
    assert nodes[f"{name}/"]["kind"] == "worker"
    assert nodes[f"runtime/workflows/{name}/"]["strategy"] == "one_for_one"


def test_the_root_that_gives_up_says_why_once_and_the_terminals_go_on(
    served: Served, tmp_path: Path
) -> None:
    """A launcher that fails more often than the root allows."""
    name = submit(served, tmp_path, 0)
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "ready")
    while not served.runtime.ended.wait(0.05):
        served.poison("runtime/launcher/")
    assert "launcher" in served.runtime.failure
    assert len(running_hosts(served.home)) == 3
