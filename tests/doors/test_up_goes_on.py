"""`up` and other commands, while the runtime is killed and comes back."""

import subprocess
from pathlib import Path
from threading import Event, Thread

import pytest

from actors.command_line import up
from actors.command_line.up import Follower
from tests.doors.acting import Acting
from tests.doors.kit import PYTHON, ROOT, Home, coder, commit, done, plan_text, shell_plan

SLOW = """
[cli.slow]
command = ["sleep", "1000"]
ready = "never"
"""


def reads_until(process: "subprocess.Popen[str]", words: str) -> str:
    """What it says on standard error up to these words."""
    assert process.stderr is not None
    said = ""
    while words not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


@pytest.mark.parametrize("when", ["starting", "running"])
def test_up_says_at_once_that_nobody_serves_and_goes_on_when_somebody_does(
    home: Home, repo: Path, tmp_path: Path, when: str
) -> None:
    gate = tmp_path / "go"
    script = f"$ while [ ! -e {gate} ]; do sleep 0.05; done\n" + commit("a", "x", "write a #done")
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder(script)]}, 'test = ["true"]'))
    home.serve()
    words = [PYTHON, str(ROOT / "run.py"), "up", str(plan), "--home", str(home.path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        while f"{when}:" not in (line := up.stdout.readline()):
            assert line
        drain = Thread(target=up.stdout.read)
        drain.start()
        home.kill()
        said = reads_until(up, "no runtime serves")
        assert f"run.py serve --home {home.path}" in said
        home.serve()
        reads_until(up, "serves again")
        gate.touch()
        assert up.wait(60) == 0
        drain.join()
    assert home.status() == "completed"


def test_a_command_that_waits_for_its_answer_notices_that_the_runtime_is_killed(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [{"cli": "slow", "instruction": "x"}]}, tail=SLOW))
    home.serve()
    home.ok("submit", str(plan))
    words = [PYTHON, str(ROOT / "run.py"), "prepare", "demo", "--home", str(home.path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as prepare:
        home.until(lambda row: row["status"] == "starting")
        home.kill()
        said = reads_until(prepare, "error: ")
        assert prepare.wait(30) == 3
    assert "the runtime has ended" in said


def test_a_follower_that_comes_late_prints_every_fact_to_the_end(
    repo: Path, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is over at the first fact already; the facts after that are printed all the same."""
    plan = repo / "plan.toml"
    plan.write_text('setup = ["false"]\n' + shell_plan(repo))
    home.serve()
    home.ok("submit", str(plan))
    home.run("prepare", "demo")
    home.until(lambda row: row["status"] == "failed")
    follower = Follower(home.path, "demo", 0, as_json=False, drives=False)
    row = follower.follow()
    assert row is not None
    assert row.status == "failed"
    printed = capsys.readouterr().out.splitlines()
    told = [fact["seq"] for fact in home.facts() if fact["address"].startswith("demo/")]
    assert [int(line.split()[0]) for line in printed if line.split()[0].isdigit()] == told


@pytest.mark.parametrize("served", [True, False], ids=["not stored yet", "not served yet"])
def test_follow_waits_for_a_workflow_that_is_just_being_stored(
    acting: Acting, repo: Path, monkeypatch: pytest.MonkeyPatch, served: bool
) -> None:
    monkeypatch.setattr(up, "_STORED_SECONDS", 300.0)
    home, waits, said = acting.home, Event(), []
    if not served:
        home.close()

    def say(text: str, *, err: bool = False) -> None:
        said.append(text)
        if err and "waited for" in text:
            waits.set()

    monkeypatch.setattr(up, "say", say)

    def begin() -> None:
        waits.wait()
        if not served:
            home.serve()
        acting.begin(plan_text(repo, {"a": [done("a")]}, 'test = ["true"]'))

    beginning = Thread(target=begin)
    beginning.start()
    assert up.follow_workflow(home.path, "demo") == 0
    beginning.join()
    assert "demo/ completed" in said[-1]


def test_follow_says_in_the_end_that_there_is_no_such_workflow(acting: Acting) -> None:
    said = acting.home.run("follow", "demo")
    assert said.returncode == 2
    assert "error: " in said.stderr
