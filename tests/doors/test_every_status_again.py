"""The runtime is killed at every status that is not final, and around the typing of an instruction.

The next one goes on from there.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.doors.acting import Acting, cli, task, terminal
from tests.doors.dying import dies_at, start_and_die
from tests.doors.kit import Home, coder, commit, done, moves, plan_text, types
from tests.doors.working import waits_for
from tests.repositories import git


class Held:
    """A workflow that is held at one status until its gate is opened."""

    def __init__(self, acting: Acting, repo: Path, place: Path, status: str) -> None:
        self.acting = acting
        self.status = status
        self.gate = place / "gate"
        until_open = f"while ! test -e {self.gate}; do sleep 0.05; done"
        tail, head, work = "", "", coder(commit("a", "x", "a #done"))
        if status == "starting":
            program = json.loads(cli("late").split("command = ")[1].split("\n")[0])
            late = ["sh", "-c", f'{until_open}; exec "$@"', "sh", *program]
            tail, work = cli("late", command=late, ready_timeout=600), {**work, "cli": "late"}
        elif status in ("running", "paused", "review_pending"):
            word = "review" if status == "review_pending" else "done"
            work = coder(waits_for(self.gate, commit("a", "x", f"a #{word}")))
        elif status == "merging":
            head = f"test = {json.dumps(['sh', '-c', until_open])}"
        self.plan = plan_text(repo, {"a": [work], "b": [done("b")]}, head=head, tail=tail)

    def reach(self) -> None:
        acting, status = self.acting, self.status
        acting.call("plan.submit", plan=self.plan, base="/")
        if status == "created":
            return
        acting.call("workflow.prepare", workflow="demo")
        if status == "starting":
            acting.until(lambda row: terminal(row, "a/1")["status"] == "starting")
            return
        acting.status("ready")
        if status == "ready":
            return
        acting.call("workflow.start", workflow="demo")
        if status in ("running", "paused"):
            acting.until(lambda row: terminal(row, "a/1")["sent"] == 1)
        if status == "paused":
            acting.call("workflow.pause", workflow="demo")
        if status == "review_pending":
            self.gate.touch()
            acting.until(lambda row: task(row, "a")["status"] == "review_pending")
        if status == "merging":
            acting.fact("merge.started")

    def go_on(self) -> None:
        """What a person would do next; the rest goes on by itself."""
        acting = self.acting
        self.gate.touch()
        if self.status == "created":
            acting.call("workflow.prepare", workflow="demo")
        if self.status in ("created", "starting", "ready"):
            acting.status("ready")
            acting.call("workflow.start", workflow="demo")
        if self.status == "paused":
            acting.call("workflow.resume", workflow="demo")
        if self.status == "review_pending":
            acting.call("task.approve", task="demo/a/")


def told(facts: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """Every instruction that was typed: to whom, in which incarnation, which step."""
    sent = [f for f in facts if f["type"] == "instruction.sent"]
    return sorted((f["address"], f["incarnation"], f["step"]) for f in sent)


@pytest.mark.parametrize(
    "status", ["created", "starting", "ready", "running", "paused", "review_pending", "merging"]
)
def test_what_was_not_at_its_end_is_gone_on_with(
    acting: Acting, repo: Path, tmp_path: Path, status: str
) -> None:
    """Nothing is started or typed a second time. Hazards 21, 22."""
    held = Held(acting, repo, tmp_path, status)
    held.reach()
    acting.again()
    row = acting.row()
    assert status in (row["status"], task(row, "a")["status"])
    held.go_on()
    acting.status("completed")
    assert git(repo, "show", "main:a") == git(repo, "show", "main:b") == "x"
    facts = acting.facts()
    paused = ["paused", "running"] if status == "paused" else []
    assert moves(facts, "demo/") == [
        "created", "starting", "ready", "running", *paused, "merging", "completed",
    ]  # fmt: skip
    assert told(facts) == [("demo/a/1/", 1, 1), ("demo/b/1/", 1, 1)]


def test_what_was_answered_is_there_though_it_is_killed_at_once(acting: Acting, repo: Path) -> None:
    """Hazard 24."""
    acting.call("plan.submit", plan=plan_text(repo, {"a": [coder("@ sleep 600\n")]}), base="/")
    acting.again()
    assert acting.row()["status"] == "created"
    for verb, status in (("prepare", "ready"), ("start", "running")):
        acting.call(f"workflow.{verb}", workflow="demo")
        acting.again()
        acting.status(status)
    for verb, status in (("pause", "paused"), ("resume", "running"), ("stop", "cancelled")):
        answer = acting.call(f"workflow.{verb}", workflow="demo")
        acting.again()
        assert acting.row()["status"] == answer["status"] == status


@pytest.mark.parametrize("point", ["type.1.before", "type.1.after", "typed.1.before"])
def test_an_instruction_is_typed_once_wherever_the_runtime_dies(
    home: Home, repo: Path, tmp_path: Path, point: str
) -> None:
    """Before it is given to the host, after, and before the record that it was typed. Hazard 21."""
    told = tmp_path / "told"
    runtime = dies_at(home, point, tmp_path)
    plan = plan_text(repo, {"a": [coder(f"$ echo told >> {told}\n@ sleep 600\n")]})
    (tmp_path / "plan.toml").write_text(plan)
    home.ok("submit", str(tmp_path / "plan.toml"))
    home.ok("prepare", "demo")
    start_and_die(home, runtime)
    home.serve()
    home.until(lambda row: row["tasks"][0]["terminals"][0]["delivered"] == 1)
    home.ok("stop", "demo")
    assert told.read_text() == "told\n"
    assert types(home.facts("demo/a/1")).count("instruction.sent") == 1
