"""A terminal fails: the task is `failed`, others finish, and one command goes on."""

import json
from pathlib import Path

import pytest

from bus.errors import Refused
from tests.doors.acting import Acting, cli, helper, once, say, task, terminal
from tests.doors.kit import coder, done, plan_text
from tests.repositories import git


def _fails_once(tmp_path: Path) -> str:
    good = "echo good > a && git add -A && git commit -q -m 'write #done'"
    bad = "git commit -q --allow-empty -m 'cannot go on #fail' -m 'there is no compiler here'"
    return once(tmp_path / "tried", bad, good)


def test_a_failed_task_waits_while_others_finish_and_is_tried_again_after_a_crash(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    tasks = {"a": [coder(_fails_once(tmp_path)), done("a2")], "b": [done("b")]}
    acting.begin(plan_text(repo, tasks))
    row = acting.status("failed")
    assert task(row, "a")["status"] == "failed"
    assert terminal(row, "a/1")["status"] == "failed"
    assert terminal(row, "a/2")["status"] == "cancelled"
    assert terminal(row, "a/2")["step"] == 0
    assert task(row, "b")["status"] == "completed"
    offered = acting.facts("repair.offered")[-1]
    assert offered["failed"] == ["demo/a/"]
    assert "there is no compiler here" in offered["evidence"]
    assert {"do": "task.retry", "address": "demo/a/"} in offered["actions"]
    acting.again()
    acting.home.ok("retry", "demo/a/1")
    acting.status("completed")
    assert (repo / "a").read_text() == "good\n"
    assert {"a2", "b"} <= {path.name for path in repo.iterdir()}


def test_an_exit_without_a_completion_is_repaired_with_its_context(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 17."""
    told = tmp_path / "told"
    lines = f'$ printf %s "$INSTRUCTION" > {told}\n$ echo mended > mended\n' + say("mend it #done")
    script = say("half of it") + "$ echo the disk is full\n@ exit 3\n"
    acting.begin(plan_text(repo, {"a": [coder(script), done("b")]}, tail=helper("error", lines)))
    row = acting.status("completed")
    assert terminal(row, "a/error")["status"] == "completed"
    assert terminal(row, "a/1")["reason"] == "exited with status 3 without completing"
    exited = next(f for f in acting.facts("terminal.exited") if f["address"] == "demo/a/1/")
    assert (exited["kind"], exited["status"]) == ("exited", 3)
    assert "the disk is full" in exited["screen"]
    context = told.read_text()
    for part in ("demo/a/", "exited with status 3", "the disk is full", "git log", "@ exit 3"):
        assert part in context, context
    assert (repo / "mended").exists()
    assert not (repo / "b").exists()


def test_completions_that_are_not_believed_fail_the_terminal_at_last(
    acting: Acting, repo: Path
) -> None:
    """Hazard 10."""
    lines = "$ echo more >> README; git commit -q --allow-empty -m 'finished #done'\n"
    tasks = {"a": [{"cli": "careless", "instruction": "work"}]}
    acting.begin(plan_text(repo, tasks, tail=cli("careless", lines)))
    row = acting.status("failed", timeout=90)
    rejected = acting.facts("commit.rejected")
    assert len(rejected) == 4
    assert all("README" in fact["reason"] for fact in rejected)
    assert terminal(row, "a/1")["step"] == 4
    assert "rejected 4 times" in task(row, "a")["reason"]


def test_a_terminal_that_works_too_long_is_ended(acting: Acting, repo: Path) -> None:
    acting.begin(plan_text(repo, {"a": [coder("@ sleep 600\n", timeout=2)]}))
    acting.status("failed")
    row = acting.until(lambda row: terminal(row, "a/1")["gone"])
    assert "timeout of 2 s" in task(row, "a")["reason"]
    assert acting.facts("terminal.timeout")[0]["seconds"] == 2


def test_a_launch_that_fails_in_prepare_fails_it_and_prepare_goes_on(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    base = cli("licensed")
    program = json.loads(base.split("command = ")[1].split("\n")[0])
    shell = f"test -e {key} || {{ echo no license found; exit 7; }}; exec {' '.join(program)}"
    licensed = base.replace(json.dumps(program), json.dumps(["sh", "-c", shell]))
    path = tmp_path / "plan.toml"
    work = done("a")
    tasks = {"b": [done("b")], "a": [{**work, "cli": "licensed"}]}
    path.write_text(plan_text(repo, tasks, tail=licensed))
    acting.home.ok("submit", str(path))
    failed = acting.home.run("prepare", "demo")
    assert failed.returncode == 1, failed.stdout
    assert "exited with status 7" in failed.stdout
    row = acting.until(lambda row: all(t["gone"] for k in row["tasks"] for t in k["terminals"]))
    assert terminal(row, "b/1")["status"] == "cancelled"
    offered = acting.facts("repair.offered")[-1]
    assert "no license found" in offered["evidence"]
    assert {"do": "workflow.prepare", "address": "demo/"} in offered["actions"]
    key.touch()
    acting.home.ok("prepare", "demo")
    acting.home.ok("start", "demo")
    acting.status("completed")


def test_one_that_cannot_be_started_when_its_turn_comes_fails_its_task(
    acting: Acting, repo: Path
) -> None:
    mute = cli("mute", ready="^never shown$", ready_timeout=4)
    tasks = {"a": [done("a"), {"cli": "mute", "instruction": "go on"}]}
    acting.begin(plan_text(repo, tasks, head="max_terminals = 1", tail=mute))
    row = acting.status("failed")
    assert "not ready within 4 s" in task(row, "a")["reason"]
    fact = acting.facts("terminal.launch_failed")[0]
    assert "Scripted agent" in fact["screen"] + fact["reason"]
    acting.until(lambda row: terminal(row, "a/2")["gone"])


def test_the_error_terminal_has_its_attempts_and_then_a_person_names_a_program(
    acting: Acting,
    repo: Path,
) -> None:
    tail = helper("error", say("no idea #fail"), attempts=2) + cli(
        "better", "$ echo better > better\n" + say("mend #done")
    )
    acting.begin(plan_text(repo, {"a": [coder(say("too hard #fail"))]}, tail=tail))
    row = acting.status("failed")
    assert task(row, "a")["repairs"] == 2
    assert terminal(row, "a/error")["incarnation"] == 2
    acting.again()
    acting.home.ok("repair", "demo", "--cli", "better")
    row = acting.status("completed")
    assert terminal(row, "a/error")["cli"] == "better"
    assert (repo / "better").exists()


def test_repair_takes_the_task_s_own_program_and_refuses_one_that_is_not_there(
    acting: Acting, repo: Path
) -> None:
    acting.begin(plan_text(repo, {"a": [coder(say("too hard #fail"))]}))
    acting.status("failed")
    unknown = acting.home.run("repair", "demo", "--cli", "nobody")
    assert unknown.returncode == 2, unknown.stdout
    assert "nobody" in unknown.stderr
    with pytest.raises(Refused):
        acting.call("task.retry", task="demo/b")
    assert acting.row()["status"] == "failed"
    assert git(repo, "log", "--oneline", "main").count("\n") == 0
    acting.home.ok("repair", "demo")
    repairs = acting.until(lambda row: len(row["tasks"][0]["terminals"]) == 2)
    assert repairs["tasks"][0]["terminals"][1]["cli"] == "scripted"
