"""After the machine went down, one command names what it does, and does it."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from actors.pty.ending import running_hosts
from tests.doors.acting import Acting, helper, task
from tests.doors.kit import Home, coder, commit, done, plan_text
from tests.repositories import git


def machine_goes_down(home: Home) -> None:
    """The runtime, all hosts and their programs end at once, and none can say anything."""
    home.kill()
    for host in running_hosts(home.path):
        assert host.identity is not None
        for pid in (host.identity.host_pid, host.identity.program_pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_what_was_lost_with_the_machine_is_named_and_started_again(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Only that: a task that failed by itself waits for a person, as before."""
    go, home = tmp_path / "go", acting.home
    work = f"$ while [ ! -e {go} ]; do sleep 0.1; done\n" + commit("a", "x", "a #done")
    fails = coder("$ git commit -q --allow-empty -m 'no #fail'\n")
    acting.begin(plan_text(repo, {"a": [coder(work)], "b": [fails]}))
    acting.until(lambda row: task(row, "b")["status"] == "failed")
    acting.fact("instruction.sent", 2)
    machine_goes_down(home)
    named = home.json("recover", "--dry-run")
    assert [each["command"] for each in named] == [home.command("retry", "demo/a")]
    assert named[0]["outcome"] == ""
    assert task(acting.row(), "a")["status"] == "failed"
    go.touch()
    said = home.ok("recover")
    assert f"demo/a/ was lost with its program: {home.command('retry', 'demo/a')}" in said
    assert "done: demo/ is running" in said
    acting.until(lambda row: task(row, "a")["status"] == "completed")
    assert task(acting.row(), "b")["status"] == "failed"
    assert home.ok("recover") == "nothing was lost\n"


def test_a_program_that_was_lost_after_its_task_had_failed_is_not_named(
    acting: Acting, repo: Path
) -> None:
    """A program may need some time to end."""
    ignores = "$ trap '' TERM HUP INT; git commit -q --allow-empty -m 'no #fail'; sleep 60\n"
    acting.begin(plan_text(repo, {"a": [coder(ignores)]}))
    acting.until(lambda row: task(row, "a")["status"] == "failed")
    machine_goes_down(acting.home)
    assert acting.home.ok("recover") == "nothing was lost\n"


def test_a_merge_terminal_that_was_lost_is_started_again(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    go, home = tmp_path / "go", acting.home
    mends = f"$ while [ ! -e {go} ]; do sleep 0.1; done; git mv red green; git commit -qm '#done'\n"
    head = 'test = ["test", "!", "-e", "red"]'
    acting.begin(plan_text(repo, {"a": [done("red")]}, head, helper("error", mends)))
    acting.status("failed")
    home.ok("repair", "demo")
    acting.until(lambda row: row["merge_terminal"] and row["merge_terminal"]["sent"])
    machine_goes_down(home)
    go.touch()
    said = home.ok("recover")
    assert f"demo/merge/ was lost with its program: {home.command('repair', 'demo')}" in said
    acting.status("completed")
    assert git(repo, "show", "main:green") == "x"


def test_a_workflow_that_was_lost_before_its_start_is_prepared_again(
    acting: Acting, repo: Path
) -> None:
    home = acting.home
    path = home.path.parent / "plan.toml"
    path.write_text(plan_text(repo, {"a": [done("a")]}))
    home.ok("submit", str(path))
    home.ok("prepare", "demo")
    acting.status("ready")  # before, nothing is lost: the preparation goes on
    machine_goes_down(home)
    assert home.command("prepare", "demo") in home.ok("recover")
    acting.status("ready")
    home.ok("start", "demo")
    acting.status("completed")
    assert git(repo, "show", "main:a") == "x"
