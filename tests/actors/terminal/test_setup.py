"""Set-up of a worktree: nobody else waits for it, and it ends when it is to end, with all of it."""

import json
from pathlib import Path

import pytest

from actors.pty.ending import running_hosts
from actors.terminal import setup
from tests.actors.served import Served, facts, lives, submit, until
from tests.doors.kit import Home, done, moves, plan_text
from tests.repositories import make_repo


class Scripted:
    """A plan whose set-up notes that it runs, leaves a daemon, and waits for a file."""

    def __init__(self, where: Path, terminals: int = 1) -> None:
        where.mkdir()
        self.where, self.gate = where, where / "go"
        daemon = f"trap '' TERM HUP; echo $$ >> {where}/pids; while :; do sleep 0.1; done"
        (where / "daemon").write_text(daemon)
        script = f"echo begun; echo $$ >> {where}/pids; setsid sh {where}/daemon & "
        script += f"while [ ! -e {self.gate} ]; do sleep 0.05; done; echo x >> {where}/calls"
        head = f"setup = {json.dumps(['sh', '-c', script])}"
        line = [done("a"), *[done(f"more-{n}") for n in range(terminals - 1)]]
        self.plan = plan_text(make_repo(where / "repo"), {"a": line}, head=head)

    def pids(self) -> list[int]:
        path = self.where / "pids"
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def until_begun(self) -> None:
        until(lambda: len(self.pids()) == 2)

    def until_gone(self) -> None:
        until(lambda: not any(lives(pid) for pid in self.pids()))


def test_another_workflow_is_launched_while_one_is_set_up_and_the_run_serves_a_whole_task(
    served: Served, tmp_path: Path
) -> None:
    slow = Scripted(tmp_path / "slow", terminals=3)
    first = submit(served, slow.plan)
    slow.until_begun()
    second = submit(served, plan_text(make_repo(tmp_path / "repo"), {"a": [done("a")]}))
    served.until_status(second, "ready")
    assert served.client.call("workflow.get", workflow=first)["status"] == "starting"
    slow.gate.touch()
    served.run_to_the_end([first])
    assert served.client.call("workflow.get", workflow=first)["status"] == "completed"
    assert (slow.where / "calls").read_text() == "x\n"
    slow.until_gone()


def test_at_its_limit_it_is_ended_with_its_daemon_and_the_launch_says_why(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "SETUP_SECONDS", 2.0)
    slow = Scripted(tmp_path / "slow")
    name = submit(served, slow.plan)
    slow.until_begun()
    served.until_status(name, "failed")
    assert not any(lives(pid) for pid in slow.pids())
    (failed,) = facts(served, "terminal.launch_failed")
    assert failed["reason"].startswith("setup took longer than 2 s:\nbegun")


def test_after_a_failure_it_is_run_again(served: Served, tmp_path: Path) -> None:
    """Only a run that ended well sets a worktree up."""
    mended = tmp_path / "mended"
    head = f"setup = {json.dumps(['sh', '-c', f'echo run; test -e {mended}'])}"
    name = submit(
        served, plan_text(make_repo(tmp_path / "repo"), {"a": [done("a"), done("b")]}, head=head)
    )
    served.until_status(name, "failed")
    assert "status 1" in facts(served, "terminal.launch_failed")[0]["reason"]
    mended.touch()
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "ready")


def test_a_run_that_was_ended_has_not_ended_well_whatever_it_says(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "SETUP_SECONDS", 2.0)
    runs = tmp_path / "runs"
    script = f"trap 'exit 0' TERM; echo x >> {runs}; while :; do sleep 0.05; done"
    head = f"setup = {json.dumps(['sh', '-c', script])}"
    name = submit(served, plan_text(make_repo(tmp_path / "repo"), {"a": [done("a")]}, head=head))
    served.until_status(name, "failed")
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "failed", "ready")
    assert served.client.call("workflow.get", workflow=name)["status"] == "failed"
    assert runs.read_text() == "x\nx\n"


def test_stop_ends_it_at_once(served: Served, tmp_path: Path) -> None:
    slow = Scripted(tmp_path / "slow", terminals=2)
    name = submit(served, slow.plan)
    slow.until_begun()
    served.client.call("workflow.stop", workflow=name)
    served.until(name, lambda row: all(t["gone"] for t in row["tasks"][0]["terminals"]))
    assert not any(lives(pid) for pid in slow.pids())
    assert running_hosts(served.home) == []


@pytest.mark.parametrize("ends", ["while nobody looks", "later"])
def test_it_survives_a_runtime_that_is_killed_and_is_not_run_again(
    tmp_path: Path, ends: str
) -> None:
    home, slow = Home(tmp_path / "home"), Scripted(tmp_path / "slow")
    plan = tmp_path / "plan.toml"
    plan.write_text(slow.plan)
    home.serve()
    try:
        home.ok("submit", str(plan))
        preparing = home.begin("prepare", "demo")
        slow.until_begun()
        home.kill()
        preparing.kill()
        preparing.wait()
        assert all(lives(pid) for pid in slow.pids())
        if ends == "while nobody looks":
            slow.gate.touch()
            slow.until_gone()
        home.serve()
        slow.gate.touch()
        home.until(lambda row: row["status"] == "ready")
        assert (slow.where / "calls").read_text() == "x\n"
        assert moves(home.facts("demo"), "demo/a/1/")[1:] == ["starting", "waiting"]
    finally:
        home.close()


def test_down_with_terminals_ends_it(tmp_path: Path) -> None:
    home, slow = Home(tmp_path / "home"), Scripted(tmp_path / "slow")
    plan = tmp_path / "plan.toml"
    plan.write_text(slow.plan)
    home.serve()
    try:
        home.ok("submit", str(plan))
        preparing = home.begin("prepare", "demo")
        slow.until_begun()
        assert home.json("down", "--terminals")["ended"]
        assert not any(lives(pid) for pid in slow.pids())
        preparing.kill()
        preparing.wait()
    finally:
        home.close()
