"""The check of a task, on its own tree, before the next terminal gets it."""

import json
from pathlib import Path
from typing import Any

from tests.doors.acting import Acting, helper, say, task, terminal
from tests.doors.kit import coder, done, plan_text
from tests.doors.working import until
from tests.repositories import git


def check(shell: str, id: str = "a") -> dict[str, dict[str, Any]]:
    return {id: {"check": ["sh", "-c", shell]}}


def test_red_goes_back_with_the_output_and_green_goes_on(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """The check sees the commit alone, not what lies in the worktree beside it."""
    told = tmp_path / "told"
    agent = (
        f'$ printf "%s\\n====\\n" "$INSTRUCTION" >> {told}; echo x >> tries\n'
        "$ git add tries && git commit -q -m 'try #done'\n"
    )
    keys = check("test ! -e ignored && test $(wc -l < tries) -ge 2 || { echo too few; exit 3; }")
    tasks = {"a": [coder("$ touch ignored\n" + agent), done("next")]}
    (repo / ".gitignore").write_text("ignored\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "ignore")
    acting.begin(plan_text(repo, tasks, keys=keys))
    row = acting.status("completed")
    checked = acting.facts("task.checked")
    assert [(f["run"], f["passed"], f["status"]) for f in checked] == [
        (1, False, 3), (2, True, 0), (3, True, 0),
    ]  # fmt: skip
    assert "too few" in checked[0]["tail"]
    first, second = told.read_text().split("\n====\n")[:2]
    assert "too few" not in first
    assert "too few" in second
    assert (repo / "next").exists()
    assert terminal(row, "a/1")["incarnation"] == 2
    after = [f["seq"] for f in acting.facts("terminal.status")
             if f["address"] == "demo/a/2/" and f["new"] == "running"]  # fmt: skip
    assert after[0] > checked[1]["seq"], "the next gets it after the check"


def test_it_gives_up_after_the_rounds_of_the_plan(acting: Acting, repo: Path) -> None:
    keys = check("echo never; exit 1")
    script = "$ echo x >> a\n" + say("again #done")
    tasks = {"a": [coder(script)]}
    acting.begin(plan_text(repo, tasks, head="max_review_rounds = 2", keys=keys))
    row = acting.status("failed")
    assert len(acting.facts("task.checked")) == 2
    assert "2 times, which is the limit" in task(row, "a")["reason"]
    assert "never" in acting.facts("repair.offered")[-1]["evidence"]


def test_work_for_review_is_checked_before_the_reviewer_gets_it(acting: Acting, repo: Path) -> None:
    script = "$ echo x > a\n" + say("for review #review")
    tasks = {"a": [coder(script), coder(say("good #done"), role="reviewer")]}
    acting.begin(plan_text(repo, tasks, keys=check("test -e a")))
    acting.status("completed")
    (checked,) = acting.facts("task.checked")
    asked = next(f for f in acting.facts("task.status") if f["new"] == "review_pending")
    assert checked["seq"] < asked["seq"]


def test_a_repair_is_checked_too(acting: Acting, repo: Path) -> None:
    tail = helper("error", "$ touch good\n" + say("mended #done"))
    tasks = {"a": [coder("$ touch a\n" + say("bad #done"))]}
    head = "max_review_rounds = 1"
    acting.begin(plan_text(repo, tasks, head=head, tail=tail, keys=check("test -e good")))
    acting.status("completed")
    assert [f["passed"] for f in acting.facts("task.checked")] == [False, True]


def test_the_runtime_dies_while_a_check_runs_and_it_counts_once(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    gate, runs = tmp_path / "gate", tmp_path / "runs"
    keys = check(f"echo x >> {runs}; while [ ! -e {gate} ]; do sleep 0.05; done")
    tasks = {"a": [done("a")], "b": [done("b")]}
    acting.begin(plan_text(repo, tasks, keys=keys))
    until(runs.exists, "the check runs")
    acting.again()
    acting.again()
    gate.touch()
    acting.status("completed")
    assert len(acting.facts("task.checked")) == 1
    assert runs.read_text() == "x\n"


def test_a_check_of_a_task_that_is_given_up_is_ended(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    runs, ended = tmp_path / "runs", tmp_path / "ended"
    keys = check(f"trap 'touch {ended}; exit 1' TERM; touch {runs}; while :; do sleep 0.1; done")
    tasks = {"a": [done("a")], "b": [done("b")]}
    acting.begin(plan_text(repo, tasks, keys=keys))
    until(runs.exists, "the check runs")
    acting.home.ok("stop", "demo/a")
    until(ended.exists, "it was ended")
    acting.status("completed")
    assert acting.facts("task.checked") == []
    assert not (repo / "a").exists()


def test_a_check_that_hangs_is_ended(acting: Acting, repo: Path) -> None:
    head = "max_review_rounds = 1\ntest_timeout = 1"
    acting.begin(plan_text(repo, {"a": [done("a")]}, head=head, keys=check("sleep 600")))
    row = acting.status("failed")
    (checked,) = acting.facts("task.checked")
    assert checked["timed_out"]
    assert "ran out of time" in task(row, "a")["reason"]


def test_check_shows_it(acting: Acting, repo: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(repo, {"a": [done("a")]}, keys={"a": {"check": ["true", "x y"]}}))
    shown = json.loads(acting.home.ok("check", str(path), "--json"))
    assert shown["tasks"][0]["check"] == ["true", "x y"]
    assert "true 'x y'" in acting.home.ok("check", str(path))
    path.write_text(plan_text(repo, {"a": [done("a")]}, keys={"a": {"check": ["no-program"]}}))
    refused = acting.home.run("check", str(path))
    assert refused.returncode == 2
    assert "task[0].check[0]" in refused.stderr
