"""Several workflows of one home: who came first is served first."""

import json
from pathlib import Path
from typing import Any

from tests.doors.acting import Acting, cli
from tests.doors.kit import coder, done, git, plan_text
from tests.doors.working import until


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
    """One that has its turn keeps it until it is ready; then those that have waited come before
    its own workflow's next. Hazard 52.
    """
    gate = tmp_path / "gate"
    program = json.loads(cli("late").split("command = ")[1].split("\n")[0])
    shell = f'while ! test -e {gate}; do sleep 0.05; done; exec "$@"'
    late = cli("late", command=["sh", "-c", shell, "sh", *program], ready_timeout=600)
    two = [{**coder("$ true"), "cli": "late"} for _ in range(2)]
    names = ["first", "second", "third"]
    for number, name in enumerate(names, 1):
        submit(acting, name, plan_text(repo, {"a": two}, tail=late))
        acting.call("workflow.prepare", workflow=name)
        until(lambda n=number: handled(acting, "runtime/launcher/") >= n, "it asked for its turn")  # type: ignore[misc]
    assert facts(acting, "terminal.ready") == []
    gate.touch()
    until(lambda: all(status(acting, name) == "ready" for name in names), "all are ready")
    order = [fact["address"] for fact in facts(acting, "terminal.ready")]
    assert order[:3] == [f"{name}/a/1/" for name in names]


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
