"""A completion that is committed on another branch of the worktree counts for nothing.

It is seen at once, and the agent is told that it is in the wrong place.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors.kit import Home
from tests.doors.test_git_storm import Watched
from tests.repositories import git


@pytest.fixture
def watched(home: Home, repo: Path, tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(home, repo, tmp_path, ["a", "b"])
    yield watched
    watched.subscriber.close()


def work(worktree: Path, message: str) -> None:
    """Commit a change."""
    (worktree / "work.txt").write_text("work\n")
    git(worktree, "add", "-A")
    git(worktree, "commit", "-q", "-m", message)


@pytest.mark.parametrize(
    ("checkout", "where"),
    [(["-b", "mine/own"], "branch mine/own"), (["--detach"], "no branch")],
    ids=["other branch", "no branch"],
)
def test_a_word_beside_the_branch_is_rejected(
    watched: Watched, checkout: list[str], where: str
) -> None:
    """Hazard 8."""
    worktree = watched.worktrees["a"]
    git(worktree, "checkout", "-q", *checkout)
    git(worktree, "commit", "-q", "--allow-empty", "-m", "Not said where it counts")
    git(worktree, "commit", "-q", "--allow-empty", "-m", "All of it #done")
    watched.until(type="commit.rejected", commit=git(worktree, "rev-parse", "HEAD"))
    problems = [f["problem"] for f in watched.facts if f["type"] == "commit.seen"]
    assert problems == [f"it was made on {where}; this task's branch is feat/a"]
    assert git(watched.repo, "rev-parse", "feat/a") == git(watched.repo, "rev-parse", "main")


def test_two_tasks_that_make_the_same_commit_are_both_done(watched: Watched) -> None:
    same = {"GIT_AUTHOR_DATE": "@1700000000 +0000", "GIT_COMMITTER_DATE": "@1700000000 +0000"}
    for name in ("a", "b"):
        worktree = watched.worktrees[name]
        (worktree / "same.txt").write_text("same\n")
        git(worktree, "add", "-A")
        command = ["git", "commit", "-q", "-m", "The same #done"]
        subprocess.run(command, cwd=worktree, env={**os.environ, **same}, check=True)
    for name in ("a", "b"):
        watched.until(type="task.status", address=f"demo/{name}/", new="completed")
    told = [f["commit"] for f in watched.facts if f["type"] == "commit.seen"]
    assert len(told) == 2
    assert len(set(told)) == 1


def test_a_branch_that_is_moved_to_another_task_s_commit_is_not_done(watched: Watched) -> None:
    """Hazard 1."""
    one, two = watched.worktrees["a"], watched.worktrees["b"]
    work(one, "Mine #done")
    watched.until(type="task.status", address="demo/a/", new="completed")
    git(two, "reset", "-q", "--hard", "feat/a")
    git(two, "commit", "-q", "--allow-empty", "-m", "Not done yet")
    watched.until(type="commit.seen", address="demo/b/")
    seen = [f for f in watched.facts if f["type"] == "commit.seen" and f["address"] == "demo/b/"]
    assert [f["subject"] for f in seen] == ["Not done yet"]


@pytest.mark.parametrize("mend", [["merge", "-q", "--ff-only"], ["reset", "-q", "--hard"]])
@pytest.mark.parametrize("checkout", [["-b", "mine/own"], ["--detach"]])
def test_a_word_beside_the_branch_counts_when_the_branch_is_moved_to_it(
    watched: Watched, checkout: list[str], mend: list[str]
) -> None:
    worktree = watched.worktrees["a"]
    git(worktree, "checkout", "-q", *checkout)
    work(worktree, "All of it #done")
    commit = git(worktree, "rev-parse", "HEAD")
    watched.until(type="commit.rejected", commit=commit)
    git(worktree, "checkout", "-q", "feat/a")
    git(worktree, *mend, commit)
    watched.until(type="task.status", address="demo/a/", new="completed")
    assert [f["problem"] for f in watched.facts if f["type"] == "commit.seen"] == [
        f"it was made on {'no branch' if '--detach' in checkout else 'branch mine/own'}; "
        "this task's branch is feat/a",
        "",
    ]


def test_a_word_that_does_not_descend_from_where_the_task_began_is_rejected(
    watched: Watched,
) -> None:
    """The branch was moved to a story of its own. The other task is not touched by it. Hazard 8."""
    worktree = watched.worktrees["a"]
    story = git(worktree, "commit-tree", "-m", "Another story #done", "HEAD^{tree}")
    git(watched.repo, "update-ref", "refs/heads/feat/a", story)
    watched.until(type="commit.rejected", commit=story)
    (rejected,) = [f for f in watched.facts if f["type"] == "commit.rejected"]
    assert rejected["reason"].startswith("it does not descend from")
    (row,) = watched.home.json("ps", "demo")
    assert [task["status"] for task in row["tasks"]] == ["running", "running"]


def test_worktrees_that_git_named_anew_are_not_taken_for_each_other(watched: Watched) -> None:
    a, b = watched.worktrees["a"], watched.worktrees["b"]
    name = {tree: (tree / ".git").read_text() for tree in (a, b)}
    git(watched.repo, "worktree", "remove", "--force", str(a))
    git(watched.repo, "worktree", "remove", "--force", str(b))
    git(watched.repo, "worktree", "add", "-q", str(a.parent / "other" / "a"), "-b", "other")
    git(watched.repo, "worktree", "add", "-q", str(b), "feat/b")
    git(watched.repo, "worktree", "add", "-q", str(a), "feat/a")
    assert (a / ".git").read_text() != name[a]
    git(a.parent / "other" / "a", "checkout", "-q", "--detach")
    git(a.parent / "other" / "a", "commit", "-q", "--allow-empty", "-m", "A stranger's #done")
    git(a, "commit", "-q", "--allow-empty", "-m", "Ours #done")
    ours = git(a, "rev-parse", "HEAD")
    watched.until(type="commit.seen", commit=ours)
    told = [(f["commit"], f["problem"]) for f in watched.facts if f["type"] == "commit.seen"]
    assert told == [(ours, "")]
