"""Hosts that die without a word: one is killed, or the whole machine goes down."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

from kit import PYTHON, Home, coder, done, git, plan_text

from actors.ending import running_hosts
from actors.terminals import processes


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
            and row["tasks"][0]["terminals"][0]["sent"] == 1
        )
    )
    home.kill()
    (directory,) = kill_hosts(home)
    identity = processes.read_identity(directory)
    home.serve()
    row = home.until(lambda row: row["status"] == "failed")
    assert [task["status"] for task in row["tasks"]] == ["failed", "completed"]
    assert row["tasks"][0]["terminals"][0]["reason"]
    (exited,) = [f for f in home.facts("demo/a/1") if f["type"] == "terminal.exited"]
    assert exited["kind"] == "lost"
    assert identity is not None
    assert processes.marked(identity.token) == set()
    assert git(repo, "rev-parse", "main") == git(repo, "rev-parse", "feat/b~1")
