"""`diff TASK`: what a branch changes, committed or not, and what is not tracked yet."""

from pathlib import Path

from tests.doors.acting import Acting
from tests.doors.kit import coder, plan_text


def test_what_is_committed_changed_renamed_and_new_is_shown(acting: Acting, repo: Path) -> None:
    script = (
        "$ echo one > a.txt; git add -A; git commit -qm one\n"
        "$ echo two >> a.txt; git mv README READ; echo new > new.txt\n"
        "$ sleep 60\n"
    )
    acting.begin(plan_text(repo, {"a": [coder(script)]}, head='test = ["true"]'))
    acting.fact("commit.seen")
    acting.until(lambda _: acting.call("task.diff", task="demo/a", stat=True)["untracked"])
    found = acting.call("task.diff", task="demo/a/1")
    files = {file["path"]: file for file in found["files"]}
    assert files["a.txt"]["added"] >= 2
    assert files["READ"]["old_path"] == "README"
    assert found["untracked"] == ["new.txt"]
    assert "+one" in found["text"]
    shown = acting.home.ok("diff", "demo/a", "--stat")
    assert "README -> READ | +0 -0" in shown
    assert "not tracked: new.txt" in shown


def test_a_task_without_a_branch_and_one_that_is_not_there_are_refused(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    plan = plan_text(repo, {"a": [coder("x")]}, head='test = ["true"]')
    acting.call("plan.submit", plan=plan, base=str(tmp_path))
    assert acting.home.run("diff", "demo/a").returncode == 4
    assert acting.home.run("diff", "demo/none").returncode == 2
