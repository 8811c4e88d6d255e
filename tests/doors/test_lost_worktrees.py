"""A worktree that is removed while a program works in it: told at once, with a way on."""

import shutil
from pathlib import Path

import pytest

from tests.doors.acting import Acting, task, terminal
from tests.doors.kit import coder, commit, plan_text, types
from tests.repositories import git


def waits(go: Path) -> str:
    return f"$ while [ ! -e {go} ]; do sleep 0.1; done\n"


@pytest.mark.parametrize("way", ["rm -rf {}", "git worktree remove --force {}", "mv {} {}.moved"])
def test_an_agent_that_removes_the_worktree_of_another_is_told_of_at_once(
    acting: Acting, repo: Path, tmp_path: Path, way: str
) -> None:
    """Hazard 65. The other task fails with the reason, and a retry goes on from its branch."""
    go, again = tmp_path / "go", tmp_path / "again"
    other = acting.home.path / "worktrees" / "demo" / "b"
    removes = waits(go) + f"$ {way.replace('{}', str(other))}\n" + commit("a", "x", "a #done")
    script = f"test -e {again} && exec sh -c 'echo z > c; git add -A; git commit -qm \"b #done\"'"
    works = commit("b", "y", "half") + f"$ {script}; sleep 600\n"
    acting.begin(plan_text(repo, {"a": [coder(removes)], "b": [coder(works)]}))
    acting.until(
        lambda _: other.exists() and git(repo, "log", "--format=%s", "feat/b").count("half")
    )
    go.touch()
    row = acting.until(lambda row: task(row, "b")["status"] == "failed")
    (lost,) = acting.facts("worktree.lost")
    assert (lost["address"], lost["path"]) == ("demo/b/", str(other))
    assert f"its worktree {other} was removed" in task(row, "b")["reason"]
    assert acting.home.command("retry", "demo/b") in acting.home.ok("ps")
    acting.until(lambda row: terminal(row, "b/1")["gone"])
    again.touch()
    acting.home.ok("retry", "demo/b")
    acting.status("completed")
    assert git(repo, "show", "main:b") == "y"
    assert git(repo, "show", "main:c") == "z"
    assert types(acting.facts()).count("worktree.lost") == 1


def test_what_was_removed_while_no_runtime_served_is_told_by_the_next(
    acting: Acting, repo: Path
) -> None:
    acting.begin(plan_text(repo, {"a": [coder("@ sleep 600\n")]}))
    acting.fact("instruction.sent")
    acting.home.kill()
    shutil.rmtree(acting.home.path / "worktrees" / "demo")
    acting.home.serve()
    acting.status("failed")
    assert len(acting.facts("worktree.lost")) == 1


def test_a_worktree_of_a_terminal_that_waits_is_missed_too(acting: Acting, repo: Path) -> None:
    """Before the start the prepare is rolled back, and can be repeated."""
    path = acting.home.path.parent / "plan.toml"
    path.write_text(plan_text(repo, {"a": [coder(commit("a", "x", "a #done"))]}))
    acting.home.ok("submit", str(path))
    acting.home.ok("prepare", "demo")
    shutil.rmtree(acting.home.path / "worktrees" / "demo" / "a")
    acting.status("failed")
    acting.until(lambda row: terminal(row, "a/1")["gone"])
    acting.home.ok("prepare", "demo")
    acting.home.ok("start", "demo")
    acting.status("completed")


def test_cleaning_up_is_no_loss(acting: Acting, repo: Path) -> None:
    acting.begin(plan_text(repo, {"a": [coder(commit("a", "x", "a #done"))]}))
    acting.status("completed")
    acting.until(lambda row: row["tidied"])
    assert acting.facts("worktree.lost") == []
