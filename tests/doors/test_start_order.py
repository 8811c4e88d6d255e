"""Serial start, parallel run.

Who is started when, what a launch that fails leaves behind, and that a stop leaves no process.
"""

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from actors.pty.ending import running_hosts
from bus.errors import Refused
from tests.doors.acting import Acting, cli, task, terminal
from tests.doors.kit import Home, coder, commit, done, moves, plan_text
from tests.repositories import git

Facts = list[dict[str, Any]]


def processes_below(home: Home) -> list[str]:
    """Every process that works in a directory of the home, and every living host."""
    found = [str(host.directory) for host in running_hosts(home.path)]
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else []:
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                cwd = str((entry / "cwd").readlink())
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if cwd.startswith(f"{home.path}/worktrees"):
                found.append(f"{entry.name} {command!r} in {cwd}")
    return found


def submitted(acting: Acting, plan: str) -> None:
    acting.call("plan.submit", plan=plan, base="/")


def launches(facts: Facts) -> list[tuple[str, str]]:
    """(`starting` or `waiting`, terminal) in the order of the journal."""
    return [
        (f["new"], f["address"].removeprefix("demo/"))
        for f in facts
        if f["type"] == "terminal.status" and f["new"] in ("starting", "waiting")
    ]


def test_terminals_start_one_by_one_in_order_of_task_and_position(
    acting: Acting, repo: Path
) -> None:
    two = [coder("$ true"), {**coder("$ true"), "role": "reviewer"}]
    tasks = {"z": two, "a": [coder("$ true")], "m": two}
    submitted(acting, plan_text(repo, tasks, head="max_terminals = 9"))
    acting.home.ok("prepare", "demo")
    order = ["z/1/", "z/2/", "a/1/", "m/1/", "m/2/"]
    steps = [(status, at) for at in order for status in ("starting", "waiting")]
    assert launches(acting.facts()) == steps
    rows = [t for each in acting.row()["tasks"] for t in each["terminals"]]
    assert {t["status"] for t in rows} == {"waiting"}
    shown = json.loads(acting.home.ok("check", "-", "--json", input=plan_text(repo, {
        "zz": two, "aa": [coder("$ true")]})))  # fmt: skip
    assert shown["launch_order"] == ["zz/1", "zz/2", "aa/1"]


def test_a_launch_that_fails_is_named_with_its_reason_and_all_is_rolled_back(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    before = git(repo, "rev-parse", "main")
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    away = cli("away")
    words = json.loads(away.split("command = ")[1].split("\n")[0])
    away = away.replace(json.dumps(words), json.dumps([str(program)]))
    tasks = {"a": [done("a")], "b": [{**done("b"), "cli": "away"}], "c": [done("c")]}
    submitted(acting, plan_text(repo, tasks, tail=away))
    program.unlink()
    failed = acting.home.run("prepare", "demo")
    assert failed.returncode == 1
    assert "demo/b/1" in failed.stderr
    assert "No such file or directory" in failed.stderr
    assert "help: " + acting.home.command("why", "demo") in failed.stderr
    row = acting.until(lambda row: all(t["gone"] for k in row["tasks"] for t in k["terminals"]))
    assert row["status"] == "failed"
    assert processes_below(acting.home) == []
    assert ("starting", "c/1/") not in launches(acting.facts())
    assert git(repo, "rev-parse", "main") == before
    with pytest.raises(Refused, match="failed"):
        acting.call("workflow.start", workflow="demo")

    program.write_text(f"#!/bin/sh\nexec {' '.join(words)}\n")
    program.chmod(0o755)
    acting.home.ok("prepare", "demo")
    acting.home.ok("start", "demo")
    acting.status("completed")
    assert moves(acting.facts(), "demo/") == [
        "created", "starting", "failed", "starting", "ready", "running", "merging", "completed",
    ]  # fmt: skip


def test_one_place_is_enough_for_many_and_is_never_exceeded(acting: Acting, repo: Path) -> None:
    review = {**coder("$ git commit -q --allow-empty -m 'good #done'"), "role": "reviewer"}
    ask = coder(commit("c", "x", "c #review"))
    tasks = {"a": [done("a"), done("a2")], "b": [done("b")], "c": [ask, review]}
    submitted(acting, plan_text(repo, tasks, head="max_terminals = 1"))
    acting.home.ok("prepare", "demo")
    assert "not_started" in {t["status"] for k in acting.row()["tasks"] for t in k["terminals"]}
    acting.home.ok("start", "demo")
    acting.status("completed")
    assert {"a", "a2", "b", "c"} <= {p.name for p in repo.iterdir()}
    up: set[str] = set()
    for fact in acting.facts("terminal.status", "terminal.exited"):
        if fact["type"] == "terminal.exited":
            up.remove(fact["address"])
        elif fact["new"] == "starting":
            up.add(fact["address"])
        assert len(up) <= 1, f"at {fact['seq']}: {up}"
    assert len(acting.facts("terminal.exited")) == 5


def test_tasks_run_in_parallel_and_terminals_of_a_task_one_after_another(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    def meet(mine: str, other: str) -> str:
        """Ends only while the other task runs too."""
        wait = f"touch {tmp_path}/{mine}; while ! test -e {tmp_path}/{other}; do sleep 0.05; done"
        return f"$ {wait}\n" + commit(mine, "x", f"{mine} #done")

    tasks = {"a": [coder(meet("a", "b")), done("a2")], "b": [coder(meet("b", "a"))]}
    acting.begin(plan_text(repo, tasks))
    acting.status("completed")
    facts = acting.facts("terminal.status")
    at = {(f["address"], f["new"]): f["seq"] for f in facts}
    assert at["demo/a/1/", "completed"] < at["demo/a/2/", "running"]


def test_start_is_refused_unless_ready_and_leaves_the_status(acting: Acting, repo: Path) -> None:
    """Hazard 14."""
    slow = cli("slow", ready="never", ready_timeout=600)
    asked = {"cli": "slow", "instruction": "x"}
    submitted(acting, plan_text(repo, {"a": [asked]}, tail=slow))

    def refused(status: str) -> None:
        head = acting.call("runtime.info")["head"]
        with pytest.raises(Refused) as caught:
            acting.call("workflow.start", workflow="demo")
        assert (caught.value.body.code, caught.value.body.reason) == (400, "not_ready")
        assert status in caught.value.body.message
        assert acting.row()["status"] == status
        assert acting.call("runtime.info")["head"] == head

    refused("created")
    acting.call("workflow.prepare", workflow="demo")
    acting.fact("terminal.status", 2)
    refused("starting")


SLEEP = itertools.count(70_000)


@pytest.mark.parametrize("status", ["starting", "ready", "running", "merging"])
def test_a_stop_leaves_no_process_and_keeps_what_was_not_committed(
    acting: Acting, repo: Path, status: str
) -> None:
    nap = f"sleep {next(SLEEP)}"
    asked, tail, head = coder("$ true"), "", ""
    if status == "starting":
        shell = json.dumps(["sh", "-c", f"{nap} & {nap}"])
        tail = f"[cli.slow]\ncommand = {shell}\nready = 'never'\nready_timeout = 600\n"
        asked = {"cli": "slow", "instruction": "x"}
    elif status == "running":
        asked = coder(f"$ echo precious > open; {nap} & {nap}\n")
    elif status == "merging":
        asked, head = done("a"), f"test = {json.dumps(['sh', '-c', f'{nap} & {nap}'])}"
    submitted(acting, plan_text(repo, {"a": [asked]}, head=head, tail=tail))
    acting.call("workflow.prepare", workflow="demo")
    if status != "starting":
        acting.status("ready")
    if status in ("running", "merging"):
        acting.call("workflow.start", workflow="demo")
    acting.status(status)
    if status != "ready":
        acting.until(lambda _: any(nap.split()[1] in p for p in processes_below(acting.home)))
    assert processes_below(acting.home) != []
    stopped = acting.home.run("stop", "demo")
    assert stopped.returncode == 0, stopped.stderr
    assert terminal(acting.row(), "a/1")["gone"]
    left = processes_below(acting.home)
    assert not [process for process in left if nap.split()[1] in process]
    end = time.monotonic() + 30
    while processes_below(acting.home):  # the git that tidies up; no fact tells of its end
        assert time.monotonic() < end, processes_below(acting.home)
        time.sleep(0.05)
    if status == "running":
        pin = git(repo, "for-each-ref", "--format=%(refname)", "refs/callboard/")
        assert git(repo, "show", f"{pin.splitlines()[0]}:open") == "precious"
    assert task(acting.row(), "a")["status"] in ("cancelled", "completed")
