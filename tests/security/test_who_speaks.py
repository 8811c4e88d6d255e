"""F2: an agent that connects to the door of the runtime is not a person."""

import json
from pathlib import Path
from typing import Any

import pytest

from bus.errors import Refused
from tests.doors.acting import Acting, say, task
from tests.doors.kit import PYTHON, coder, plan_text
from tests.repositories import git

ASK = """
import json, os, sys, zmq
home, out, request = sys.argv[1:]
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(json.load(open(home + "/connection.json"))["requests"])
socket.send(request.encode())
assert socket.poll(20_000)
reply = socket.recv()
open(out + ".new", "wb").write(reply)
os.rename(out + ".new", out)
"""

REVIEW = "$ echo x > work\n" + say("work #review")


class Spy:
    """A program that asks the runtime something and leaves its answer in a file."""

    def __init__(self, acting: Acting, tmp_path: Path) -> None:
        self.script = tmp_path / "ask.py"
        self.script.write_text(ASK)
        self.out = tmp_path / "reply"
        self._home = acting.home.path

    def command(self, type: str, **fields: Any) -> str:
        request = json.dumps({"type": type, "id": 1, **fields})
        return f"{PYTHON} {self.script} {self._home} {self.out} '{request}'"

    def reply(self) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(self.out.read_text())
        return reply


@pytest.fixture
def spy(acting: Acting, tmp_path: Path) -> Spy:
    return Spy(acting, tmp_path)


@pytest.mark.parametrize(
    "way",
    [
        "{command}",
        "env -i {command}",
        "setsid -w env -i {command}",
        "setsid env -i setsid {command} </dev/null >/dev/null 2>&1 & "
        "while [ ! -e {out} ]; do sleep 0.05; done",
    ],
    ids=["as it is", "another environment", "another session", "orphaned"],
)
def test_an_agent_cannot_approve_in_a_person_s_name(
    acting: Acting, repo: Path, spy: Spy, way: str
) -> None:
    """Hazard 58."""
    attack = way.format(command=spy.command("task.approve", task="demo/a/"), out=spy.out)
    waiting = "$ until grep -q ok {gate} 2>/dev/null; do sleep 0.05; done\n"
    gate = spy.out.with_name("gate")
    evil = waiting.format(gate=gate) + f"$ {attack}\n" + say("evil #done")
    acting.begin(plan_text(repo, {"a": [coder(REVIEW)], "b": [coder(evil)]}))
    acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    gate.write_text("ok")
    acting.until(lambda row: task(row, "b")["status"] == "completed")
    reply = spy.reply()
    assert reply["error"]["code"] == 403
    assert "demo/b/1/" in reply["error"]["message"]
    assert task(acting.row(), "a")["status"] == "review_pending"


def test_an_agent_that_ends_its_own_host_is_still_no_person(
    acting: Acting, repo: Path, spy: Spy
) -> None:
    """Hazard 58. It has no ancestor, no session and no environment of ours any more."""
    gate = spy.out.with_name("gate")
    script = spy.out.with_name("attack")
    script.write_text(
        "trap '' TERM HUP\n"
        f"until grep -q ok {gate} 2>/dev/null; do sleep 0.05; done\n"
        "kill -9 $1\n"
        "until ! grep State /proc/$1/status 2>/dev/null | grep -vq Z; do sleep 0.02; done\n"
        f"exec {spy.command('task.approve', task='demo/a/')}\n"
    )
    evil = "$ host=$(awk '{print $4}' /proc/$PPID/stat); "
    evil += f"(setsid env -i /bin/sh {script} $host </dev/null >/dev/null 2>&1 &)\n@ sleep 99\n"
    acting.begin(plan_text(repo, {"a": [coder(REVIEW)], "b": [coder(evil)]}))
    acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    gate.write_text("ok")
    acting.until(lambda _row: spy.out.exists())
    reply = spy.reply()
    assert reply["error"]["code"] == 403
    assert "demo/b/1/" in reply["error"]["message"]
    assert task(acting.row(), "a")["status"] == "review_pending"


def test_an_agent_may_not_even_ask(acting: Acting, repo: Path, spy: Spy) -> None:
    """Snapshots and facts hold the instructions and screens of all others."""
    acting.begin(plan_text(repo, {"a": [coder(f"$ {spy.command('snapshot')}\n" + REVIEW)]}))
    acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    assert spy.reply()["error"]["code"] == 403


def test_a_hook_that_our_git_runs_is_no_person_either(acting: Acting, repo: Path, spy: Spy) -> None:
    """The landing runs the repository's `reference-transaction` hook, in the runtime's name."""
    hook = repo / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    stop = spy.command("runtime.stop")
    hook.write_text(f'#!/bin/sh\n[ "$1" = committed ] && [ ! -e {spy.out} ] && {stop}\nexit 0\n')
    hook.chmod(0o755)
    acting.begin(plan_text(repo, {"a": [coder("$ echo x > a\n" + say("work #done"))]}))
    acting.status("completed")
    assert spy.reply()["error"]["code"] == 403


def test_what_a_person_does_says_who_it_was(acting: Acting, repo: Path) -> None:
    acting.begin(plan_text(repo, {"a": [coder(REVIEW)]}))
    acting.until(lambda row: task(row, "a")["status"] == "review_pending")
    acting.home.ok("approve", "demo/a")
    acting.status("completed")
    said = {(f["address"], f["new"]): f for f in acting.facts("task.status", "workflow.status")}
    assert said["demo/a/", "completed"]["by"] == "person"
    assert "uid=" in said["demo/a/", "completed"]["peer"]
    assert said["demo/a/", "review_pending"]["by"] == "agent"
    assert said["demo/", "created"]["by"] == "person"
    assert said["demo/", "completed"]["by"] == ""
    assert git(repo, "show", "main:work") == "x"


def test_the_callers_own_user_is_no_stranger(acting: Acting) -> None:
    with pytest.raises(Refused) as refused:
        acting.call("workflow.get", workflow="none")
    assert refused.value.body.code == 404
