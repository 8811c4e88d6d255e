"""Pause, resume, stop: what each does at every status, and what is kept."""

import json
import time
from pathlib import Path

import pytest

from actors.pty import records
from tests.doors.acting import Acting, cli, task, terminal
from tests.doors.kit import coder, commit, done, moves, plan_text
from tests.repositories import git


def _wait(go: Path) -> str:
    return f"$ while ! test -e {go}; do sleep 0.2; done\n"


def _state(acting: Acting, where: str, incarnation: int = 1) -> str:
    """The program's state as the system has it: `S`, `T` for stopped."""
    directory = acting.home.path / "terminals" / "demo" / where / str(incarnation)
    identity = records.read_identity(directory)
    assert identity is not None
    stat = Path(f"/proc/{identity.program_pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


def test_pause_types_and_starts_nothing_and_completions_count(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    careless = cli(
        "careless", _wait(go) + "$ echo x >> README; git commit -q --allow-empty -m 'b #done'\n"
    )
    tasks = {
        "a": [coder(_wait(go) + commit("a", "x", "first #done")), done("a2")],
        "b": [{"cli": "careless", "instruction": "work"}],
    }
    acting.begin(plan_text(repo, tasks, tail=careless))
    acting.fact("instruction.sent", 2)
    acting.home.ok("pause", "demo")
    assert acting.home.command("resume", "demo") in acting.home.ok("ps").split("demo/a/ ")[0]
    go.touch()
    acting.fact("commit.rejected")
    acting.until(lambda row: terminal(row, "a/1")["gone"])
    row = acting.until(lambda row: terminal(row, "b/1")["step"] == 2)
    assert row["status"] == "paused"
    assert terminal(row, "a/1")["status"] == "completed"
    assert terminal(row, "a/2")["status"] == "waiting"
    assert terminal(row, "b/1")["sent"] == 1
    refused = acting.home.run("pause", "demo")
    assert refused.returncode == 4
    acting.again()
    row = acting.row()
    assert (row["status"], terminal(row, "b/1")["sent"]) == ("paused", 1)
    acting.home.ok("resume", "demo")
    acting.until(lambda row: terminal(row, "b/1")["sent"] >= 2)
    acting.until(lambda row: task(row, "a")["status"] == "completed")


def test_freeze_stops_the_programs_until_resume_also_over_a_crash(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    script = _wait(go) + commit("a", "x", "a #done")
    acting.begin(plan_text(repo, {"a": [coder(script, timeout=600)]}))
    acting.fact("instruction.sent")
    acting.home.ok("pause", "demo", "--freeze")
    acting.until(lambda _: _state(acting, "a/1") == "T")
    go.touch()
    acting.again()
    acting.fact("terminal.adopted")
    assert _state(acting, "a/1") == "T"
    assert acting.facts("commit.seen") == []
    acting.home.ok("resume", "demo")
    acting.status("completed")


STATUSES = ("created", "starting", "ready", "paused", "failed", "merging")


@pytest.mark.parametrize("status", STATUSES)
def test_stop_at_every_status_cancels_and_keeps_the_branches(
    acting: Acting, repo: Path, status: str
) -> None:
    before = git(repo, "rev-parse", "main")
    scripts = {
        "failed": [commit("same", "x", "half") + "$ echo y > open\n" + say_no()],
        "paused": [commit("same", "x", "half") + "@ sleep 600\n"],
        "merging": [commit("same", text, f"{text} #done") for text in ("one", "two")],
    }.get(status, ["@ sleep 600\n"])
    program = "mute" if status == "starting" else "scripted"
    tasks = {"ab"[n]: [coder(script, cli=program)] for n, script in enumerate(scripts)}
    plan = plan_text(repo, tasks, tail=cli("mute", ready="^never shown$"))
    path = acting.home.path.parent / "plan.toml"
    if status in ("created", "starting", "ready"):
        path.write_text(plan)
        acting.home.ok("submit", str(path))
        if status == "starting":
            acting.call("workflow.prepare", workflow="demo")
            acting.until(lambda row: terminal(row, "a/1")["status"] == "starting")
        if status == "ready":
            acting.home.ok("prepare", "demo")
    else:
        acting.begin(plan)
        acting.fact("commit.seen", len(scripts))
        if status == "paused":
            acting.home.ok("pause", "demo", "--freeze")
        acting.status(status)
        if status == "merging":
            acting.fact("repair.offered")
    stopped = json.loads(acting.home.ok("stop", "demo", "--json"))
    assert stopped["status"] == "cancelled"
    assert all(t["gone"] for each in stopped["tasks"] for t in each["terminals"])
    assert moves(acting.facts(), "demo/")[-2:] == [status, "cancelled"]
    assert git(repo, "rev-parse", "main") == before
    if status not in ("created", "starting", "ready"):
        assert git(repo, "show", "feat/a:same")
    refused = acting.home.run("stop", "demo")
    assert refused.returncode == 4
    assert "cancelled" in refused.stderr


def say_no() -> str:
    return "$ git commit -q --allow-empty -m 'no #fail'\n"


def test_stop_pins_what_was_not_committed_and_keeps_the_worktree(
    acting: Acting, repo: Path
) -> None:
    """Hazard 51."""
    script = commit("kept", "x", "half") + "$ echo mine > uncommitted; echo more >> README\n"
    acting.begin(plan_text(repo, {"a": [coder(script + "@ sleep 600\n")]}))
    row = acting.until(
        lambda row: (
            (where := task(row, "a")["worktree"])
            and "more" in (Path(where) / "README").read_text()
            and terminal(row, "a/1")["sent"]
        )
    )
    acting.home.ok("stop", "demo")
    (pin,) = [
        ref
        for ref in git(repo, "for-each-ref", "--format=%(refname)", "refs/callboard").split()
        if "/base/" not in ref
    ]
    assert git(repo, "show", f"{pin}:uncommitted") == "mine"
    assert git(repo, "show", f"{pin}:README") == "a sample\nmore"
    assert git(repo, "show", "feat/a:kept") == "x"
    assert (Path(task(row, "a")["worktree"]) / "uncommitted").exists()


def test_only_a_clean_and_merged_worktree_is_removed(acting: Acting, repo: Path) -> None:
    leaves = commit("b", "x", "half") + "$ echo left > untracked; git commit -q --allow-empty"
    tasks = {"a": [done("a")], "b": [coder(leaves + " -m 'b #done'\n")]}
    acting.begin(plan_text(repo, tasks))
    acting.status("completed")
    row = acting.until(lambda row: row["tidied"])
    clean, dirty = (Path(task(row, id)["worktree"]) for id in "ab")
    assert not clean.exists()
    assert (dirty / "untracked").read_text() == "left\n"
    refs = git(repo, "for-each-ref", "--format=%(refname)", "refs/callboard").split()
    (pin,) = [ref for ref in refs if "/base/" not in ref]
    assert git(repo, "show", f"{pin}:untracked") == "left"


def test_stop_ends_the_tests_that_run(acting: Acting, repo: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    test = f"test = {json.dumps(['sh', '-c', f'echo $$ > {pid}; sleep 600'])}"
    before = git(repo, "rev-parse", "main")
    acting.begin(plan_text(repo, {"a": [done("a")]}, head=test))
    acting.until(lambda _: pid.exists() and pid.read_text().strip())
    acting.home.ok("stop", "demo")
    process = Path("/proc", pid.read_text().strip())
    end = time.monotonic() + 60
    while process.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not process.exists()
    assert git(repo, "rev-parse", "main") == before
    assert git(repo, "show", "feat/a:a") == "x"
