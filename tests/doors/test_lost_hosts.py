"""Hosts that die without a word: one is killed, or the whole machine goes down."""

import contextlib
import json
import os
import shlex
import signal
import time
from pathlib import Path

import pytest

from actors.platform.processes import is_alive, start_time
from actors.pty import records, strays
from actors.pty.ending import running_hosts
from bus import connection
from bus.client import Client
from bus.errors import Refused
from tests.doors.dying import dies_at, start_and_die
from tests.doors.kit import PYTHON, Home, coder, done, plan_text, types
from tests.doors.working import Working, until
from tests.repositories import git


def kill_hosts(home: Home, below: str = "") -> list[Path]:
    """SIGKILL for each host and its program, at once."""
    found = [host for host in running_hosts(home.path) if below in str(host.directory)]
    for host in found:
        assert host.identity is not None
        for pid in (host.identity.host_pid, host.identity.program_pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return [host.directory for host in found]


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return str(path)


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


def gated(tmp_path: Path) -> str:
    """A test that says that it runs, and ends when the gate is open."""
    script = (
        "import pathlib, sys, time\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "(place / 'running').touch()\n"
        "while not (place / 'go').exists(): time.sleep(0.05)\n"
    )
    return f"test = {json.dumps([PYTHON, '-c', script, str(tmp_path)])}"


def test_a_test_run_whose_host_was_killed_is_redone(home: Home, repo: Path, tmp_path: Path) -> None:
    home.serve()
    home.json("submit", write(tmp_path, plan_text(repo, {"a": [done("a")]}, head=gated(tmp_path))))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    wait_for(tmp_path / "running")
    (directory,) = kill_hosts(home, "merger")
    (tmp_path / "go").touch()
    home.until(lambda row: row["status"] == "completed")
    assert directory.with_name(f"{directory.name}.cut-1").exists()
    tested = [f for f in home.facts() if f["type"] == "merge.tested"]
    assert [f["passed"] for f in tested] == [True]
    assert tested[0]["commit"] == git(repo, "rev-parse", "main")


def test_after_the_machine_went_down_in_the_tests_they_run_again_and_it_lands(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    home.serve()
    home.json("submit", write(tmp_path, plan_text(repo, {"a": [done("a")]}, head=gated(tmp_path))))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    wait_for(tmp_path / "running")
    home.kill()
    kill_hosts(home)
    (tmp_path / "go").touch()
    home.serve()
    home.until(lambda row: row["status"] == "completed")
    assert git(repo, "show", "main:a") == "x"


def test_after_the_machine_went_down_what_worked_has_failed_and_says_why(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    home.serve()
    tasks = {"a": [coder("@ sleep 600\n")], "b": [done("b")]}
    home.json("submit", write(tmp_path, plan_text(repo, tasks)))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    home.until(
        lambda row: (
            row["tasks"][1]["status"] == "completed"
            and row["tasks"][1]["terminals"][0]["gone"]  # its host ends a moment later
            and row["tasks"][0]["terminals"][0]["sent"] == 1
        )
    )
    home.kill()
    (directory,) = kill_hosts(home)
    identity = records.read_identity(directory)
    home.serve()
    row = home.until(lambda row: row["status"] == "failed")
    assert [task["status"] for task in row["tasks"]] == ["failed", "completed"]
    assert row["tasks"][0]["terminals"][0]["reason"]
    (exited,) = [f for f in home.facts("demo/a/1") if f["type"] == "terminal.exited"]
    assert exited["kind"] == "lost"
    assert identity is not None
    assert strays.marked(identity.token) == set()
    assert git(repo, "rev-parse", "main") == git(repo, "rev-parse", "feat/b~1")


def test_a_record_that_cannot_be_read_is_no_death(working: Working) -> None:
    """The next runtime cannot find out whether it lives: it asks again, and replaces nobody.

    Hazard 37.
    """
    home, (host,) = working.home, working.hosts()
    home.kill()
    torn = host.directory / "exit.json"
    torn.write_bytes(b"{")
    home.serve()
    until(lambda: "not_blocked" in asked(home) or home.status() != "running", "it has looked")
    assert home.status() == "running"
    assert records.host_lives(host.directory)
    torn.unlink()
    working.go()
    told = types(home.facts("demo/a/1"))
    assert told.count("terminal.adopted") == told.count("instruction.sent") == 1
    row = home.json("ps", "demo")[0]["tasks"][0]["terminals"][0]
    assert (row["status"], row["incarnation"]) == ("completed", 1)


def asked(home: Home) -> str:
    """The reason for which an answer is refused: its terminal's actor has looked by then."""
    with Client(connection.read(home.path).requests) as client:
        try:
            client.call("terminal.answer", terminal="demo/a/1", choice="x")
        except Refused as refused:
            return refused.body.reason
    return ""


@pytest.mark.parametrize("point", ["type.1.before", "type.1.after", "typed.1.before"])
def test_where_nobody_is_left_to_say_whether_it_was_typed_the_doubt_is_said(
    home: Home, repo: Path, tmp_path: Path, point: str
) -> None:
    """The runtime dies before the record, and the host, which knows, with it."""
    seen = tmp_path / "seen"
    script = f"$ echo turn >> {seen}\n@ sleep 600\n"
    runtime = dies_at(home, point, tmp_path)
    home.json("submit", write(tmp_path, plan_text(repo, {"a": [coder(script)]})))
    home.ok("prepare", "demo")
    start_and_die(home, runtime)
    if point != "type.1.before":
        wait_for(seen)
    kill_hosts(home)
    home.serve()
    row = home.until(lambda row: row["status"] == "failed")
    assert row["tasks"][0]["terminals"][0]["sent"] == 0
    facts = home.facts("demo/a/1")
    told = [f for f in facts if f["type"].startswith("instruction.")]
    assert [(f["type"], f["incarnation"], f["step"]) for f in told] == [
        ("instruction.unconfirmed", 1, 1)
    ]
    assert types(facts).index("instruction.unconfirmed") > types(facts).index("terminal.exited")
    home.kill()
    home.serve()
    home.ok("retry", "demo/a")
    home.until(lambda row: row["tasks"][0]["terminals"][0]["delivered"] == 1)
    facts = home.facts("demo/a/1")
    assert types(facts).count("instruction.unconfirmed") == 1
    sent = [f["incarnation"] for f in facts if f["type"] == "instruction.sent"]
    assert sent == [2], "the new program gets it once, the old one never again"


def test_where_the_work_itself_says_that_it_was_typed_there_is_no_doubt(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    runtime = dies_at(home, "typed.1.before", tmp_path)
    home.json("submit", write(tmp_path, plan_text(repo, {"a": [done("a")]})))
    home.ok("prepare", "demo")
    start_and_die(home, runtime)
    wait_for(home.path / "worktrees" / "demo" / "a" / "a")
    while "#done" not in git(repo, "log", "-1", "--format=%s", "feat/a"):
        time.sleep(0.02)
    kill_hosts(home)
    home.serve()
    home.until(lambda row: row["status"] == "completed")
    told = types([f for f in home.facts("demo/a/1") if f["type"].startswith("instruction.")])
    assert told == ["instruction.sent", "instruction.delivered"]


ASKS_LATER = """
import pathlib, sys, time
print("> ", end="", flush=True)
while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)
print("\\x1b[2J\\x1b[HMay I?\\r\\n❯ 1. Yes\\r\\n  2. No", flush=True)
time.sleep(600)
"""


def test_what_was_surely_not_typed_is_in_no_doubt(home: Home, repo: Path, tmp_path: Path) -> None:
    """A question stands where the instruction would be typed, and the host is killed."""
    home.serve()
    asks = json.dumps([PYTHON, "-c", ASKS_LATER, str(tmp_path / "ask")])
    tail = f"[cli.asks]\ncommand = {asks}\nready = '^> $'\n"
    tasks = {"a": [{"cli": "asks", "instruction": "work", "auto_confirm": "never"}]}
    home.json("submit", write(tmp_path, plan_text(repo, tasks, tail=tail)))
    home.ok("prepare", "demo")
    (tmp_path / "ask").touch()
    home.until(lambda row: row["tasks"][0]["terminals"][0]["blocked"])
    home.ok("start", "demo")
    time.sleep(1)  # the host is asked whether it was typed, which no fact tells
    kill_hosts(home)
    home.until(lambda row: row["status"] == "failed")
    told = [f["type"] for f in home.facts("demo/a/1") if f["type"].startswith("instruction.")]
    assert told == []


@pytest.mark.parametrize("how", ["down", "served"])
def test_a_daemon_without_environment_and_session_does_not_survive_its_killed_host(
    home: Home, repo: Path, tmp_path: Path, how: str
) -> None:
    """Hazard 35."""
    daemon = f"trap '' HUP; echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; sleep 300"
    leave = f"$ (setsid env -i /bin/sh -c {shlex.quote(daemon)} </dev/null >/dev/null 2>&1 &)\n"
    home.serve()
    home.json("submit", write(tmp_path, plan_text(repo, {"a": [coder(leave + "@ sleep 300")]})))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    wait_for(tmp_path / "pid")
    pid = int((tmp_path / "pid").read_text())
    started = start_time(pid)
    assert started
    assert "CALLBOARD" not in Path(f"/proc/{pid}/environ").read_text()
    if how == "down":
        home.kill()
        assert kill_hosts(home)
        assert is_alive(pid, started)
        home.ok("down", "--terminals")
    else:
        assert kill_hosts(home)
        home.until(lambda row: row["tasks"][0]["terminals"][0]["gone"])
    assert not is_alive(pid, started)


@pytest.mark.parametrize("how", ["down", "stop"])
def test_a_host_that_somebody_has_stopped_goes_on_when_it_is_to_end(
    home: Home, repo: Path, tmp_path: Path, how: str
) -> None:
    """Hazard 35."""
    home.serve()
    home.json("submit", write(tmp_path, plan_text(repo, {"a": [coder("@ sleep 300")]})))
    home.ok("prepare", "demo")
    (found,) = running_hosts(home.path)
    assert found.identity is not None
    os.kill(found.identity.host_pid, signal.SIGSTOP)
    if how == "stop":
        home.ok("stop", "demo")
        home.until(lambda row: row["tasks"][0]["terminals"][0]["gone"])
    home.ok("down", "--terminals")
    assert not is_alive(found.identity.host_pid, found.identity.host_start)
    assert not is_alive(found.identity.program_pid, found.identity.program_start)
