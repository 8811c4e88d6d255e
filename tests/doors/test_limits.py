"""A limit outlives the runtime, and is shown with the time at which the work goes on. Hazard 68."""

import json
import os
import signal
from pathlib import Path

from actors.pty.ending import running_hosts
from tests.actors.terminal.test_conversation import talker
from tests.actors.terminal.test_usage import spender
from tests.doors.acting import Acting, terminal
from tests.doors.kit import plan_text
from tests.refused import USAGE, refused_cli
from tests.repositories import make_repo


def test_a_killed_runtime_waits_on_and_goes_on_once(acting: Acting, tmp_path: Path) -> None:
    flag = tmp_path / "serves"
    repo = make_repo(tmp_path / "limited")
    steps = {"a": [{"cli": "refused", "instruction": "work"}]}
    acting.begin(plan_text(repo, steps, tail=refused_cli(flag, USAGE, 20)))
    row = acting.until(lambda row: terminal(row, "a/1")["limited"])
    acting.again()
    flag.touch()
    shown = acting.home.ok("ps", "demo")
    assert "limited: the usage limit is reached" in " ".join(shown.split())
    assert "waits for you" not in shown
    assert terminal(acting.row(), "a/1")["until"] == terminal(row, "a/1")["until"]
    acting.status("completed")
    (limited,) = acting.facts("terminal.limited")
    (over,) = acting.facts("terminal.limit_over")
    assert over["at"] >= limited["until"]
    assert len(Path(f"{flag}.told").read_text().split("\n--\n")) == 3  # two and what follows
    assert "usage, refused, its own login, until " in acting.home.ok("why", "demo/a/1")


def test_a_killed_runtime_counts_nothing_twice(acting: Acting, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "spent")
    steps = {"a": [{"cli": "spender", "instruction": "work"}]}
    head = "idle_after = 0.5\nnudges = 9"
    acting.begin(plan_text(repo, steps, head=head, tail=spender(2)))
    acting.fact("usage.counted")
    acting.again()
    acting.status("completed")
    counted = acting.facts("usage.counted")
    assert sum(fact["input"] + fact["output"] for fact in counted) == 120
    shown = acting.home.ok("usage", "demo")
    assert "demo/a/1/" in shown
    assert " 80 " in shown
    assert acting.home.json("usage")["used"][0]["requests"] == 4


def test_a_conversation_goes_on_though_the_runtime_was_killed(
    acting: Acting, tmp_path: Path
) -> None:
    log, flag = tmp_path / "log", tmp_path / "go"
    steps = {"a": [{"cli": "talker", "instruction": "work"}]}
    acting.begin(plan_text(make_repo(tmp_path / "talk"), steps, tail=talker(log, flag)))
    acting.until(lambda row: terminal(row, "a/1")["delivered"])
    acting.home.kill()
    (host,) = [each for each in running_hosts(acting.home.path) if each.identity]
    assert host.identity is not None
    os.kill(host.identity.program_pid, signal.SIGKILL)
    acting.home.serve()
    acting.until(lambda row: row["tasks"][0]["status"] == "failed")
    flag.touch()
    acting.call("task.retry", task="demo/a/")
    acting.status("completed")
    assert [json.loads(line)["before"] for line in log.read_text().splitlines()] == [0, 1]
    assert len(acting.facts("terminal.resumed_conversation")) == 1
