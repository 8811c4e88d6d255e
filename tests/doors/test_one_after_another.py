"""Several workflows of one home: who came first is served first."""

import json
from pathlib import Path
from typing import Any

from actors.pty.records import FoundHost, find_hosts
from actors.terminal.launcher import IN_FLIGHT
from tests.doors.acting import Acting, cli
from tests.doors.kit import coder, done, plan_text
from tests.doors.working import until
from tests.repositories import git


def submit(acting: Acting, name: str, plan: str) -> None:
    plan = plan.replace('name = "demo"', f'name = "{name}"').replace("feat/", f"{name}/")
    assert acting.call("plan.submit", plan=plan, base="/")["id"] == name


def facts(acting: Acting, type: str) -> list[dict[str, Any]]:
    found = acting.call("events.replay", limit=10_000)["facts"]
    return [fact for fact in found if fact["type"] == type]


def status(acting: Acting, name: str) -> str:
    return str(acting.call("workflow.get", workflow=name)["status"])


def handled(acting: Acting, address: str) -> int:
    """How many messages this actor has handled."""
    nodes = [acting.call("tree.inspect")]
    while node := nodes.pop():
        if node["address"] == address:
            return int(node["handled"])
        nodes += node["children"]
    raise LookupError(address)


def test_programs_are_launched_in_the_order_in_which_their_workflows_asked(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """One that was started waits until it is ready beside the next.

    Those that have waited come before its own workflow's next. Hazard 52.
    """
    gate = tmp_path / "gate"
    tail = late(gate)
    two = [{**coder("$ true"), "cli": "late"} for _ in range(2)]
    names = ["first", "second", "third"]
    for number, name in enumerate(names, 1):
        submit(acting, name, plan_text(repo, {"a": two}, tail=tail))
        acting.call("workflow.prepare", workflow=name)
        until(lambda n=number: handled(acting, "runtime/launcher/") >= n, "it asked for its turn")  # type: ignore[misc]
    assert facts(acting, "terminal.ready") == []
    gate.touch()
    until(lambda: all(status(acting, name) == "ready" for name in names), "all are ready")
    order = [found.directory.parts[-4] for found in hosts(acting)]
    assert order[:3] == names


def hosts(acting: Acting) -> list[FoundHost]:
    """Those that have started their program, in that order."""
    found = [each for each in find_hosts(acting.home.path / "terminals") if each.identity]
    return sorted(found, key=lambda each: each.identity.started if each.identity else 0.0)


def late(gate: Path, **more: Any) -> str:
    """A program that is ready when the file is there."""
    program = json.loads(cli("late").split("command = ")[1].split("\n")[0])
    shell = f'while ! test -e {gate}; do sleep 0.05; done; exec "$@"'
    return cli("late", command=["sh", "-c", shell, "sh", *program], ready_timeout=600, **more)


def test_isolated_programs_become_ready_beside_each_other_up_to_a_number(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    for number in range(IN_FLIGHT + 1):
        plan = plan_text(repo, {"a": [{**coder("$ true"), "cli": "late"}]}, tail=late(gate))
        submit(acting, f"w{number}", plan)
        acting.call("workflow.prepare", workflow=f"w{number}")
    asked_and_started = IN_FLIGHT + 1 + IN_FLIGHT
    until(lambda: handled(acting, "runtime/launcher/") >= asked_and_started, "so many started")
    assert len(hosts(acting)) == IN_FLIGHT
    gate.touch()
    until(lambda: len(hosts(acting)) == IN_FLIGHT + 1, "the last one is started")


def test_a_program_on_the_users_own_configuration_is_started_alone(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    gate, tail = tmp_path / "gate", late(tmp_path / "gate")
    for name, more in {"first": {}, "alone": {"switch": "global"}, "last": {}}.items():
        plan = plan_text(repo, {"a": [{**coder("$ true"), "cli": "late", **more}]}, tail=tail)
        submit(acting, name, plan)
        acting.call("workflow.prepare", workflow=name)
        asked = {"first": 2, "alone": 3, "last": 4}[name]  # the first one has started, too
        until(lambda n=asked: handled(acting, "runtime/launcher/") >= n, "it asked")  # type: ignore[misc]
    assert len(hosts(acting)) == 1
    gate.touch()
    names = ["first", "alone", "last"]
    until(lambda: all(status(acting, name) == "ready" for name in names), "all are ready")
    ready = [fact["address"] for fact in facts(acting, "terminal.ready")]
    assert ready == [f"{name}/a/1/" for name in names]


def test_who_began_to_merge_first_lands_first_and_tests_once(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Else one with long tests would be overtaken by every short one, and never land. Hazard 52."""
    gate = tmp_path / "gate"
    wait = f"touch {tmp_path}/tests; while ! test -e {gate}; do sleep 0.05; done"
    slow = f"test = {json.dumps(['sh', '-c', wait])}"
    names = ["slow", "quick", "quicker"]
    for name in names:
        head = slow if name == "slow" else 'test = ["true"]'
        submit(acting, name, plan_text(repo, {"a": [done(name)]}, head=head))
        acting.call("workflow.prepare", workflow=name)
        until(lambda n=name: status(acting, n) == "ready", "ready")  # type: ignore[misc]
        acting.call("workflow.start", workflow=name)
        if name == "slow":
            until((tmp_path / "tests").exists, "its tests run")
        else:
            until(lambda n=name: status(acting, n) != "running", "its work is done")  # type: ignore[misc]
    acting.again()
    gate.touch()
    until(lambda: all(status(acting, name) == "completed" for name in names), "all have landed")
    assert [fact["address"] for fact in facts(acting, "merge.landed")] == [f"{n}/" for n in names]
    assert len(facts(acting, "merge.tested")) == len(names)
    assert facts(acting, "merge.target_moved") == []
    landed = git(repo, "ls-tree", "--name-only", "main").split()
    assert set(names) <= set(landed)
