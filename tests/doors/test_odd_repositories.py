"""Repositories that are odd and taken all the same: work lands in them like in any other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doors.kit import Home, done, plan_text
from tests.repositories import git


def shallow(repo: Path) -> Path:
    (repo / "two").touch()
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "second")
    git(repo.parent, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    clone = repo.with_name("shallow")
    git(clone, "config", "user.name", "Test")
    git(clone, "config", "user.email", "test@example.org")
    assert (clone / ".git/shallow").exists()
    return clone


def detached(repo: Path) -> Path:
    git(repo, "checkout", "-q", "--detach")
    return repo


def on_another_branch_and_dirty(repo: Path) -> Path:
    git(repo, "checkout", "-q", "-b", "mine")
    (repo / "README").write_text("changed, and not committed\n")
    (repo / "a").write_text("untracked, of the name that lands\n")
    return repo


def dirty_elsewhere(repo: Path) -> Path:
    (repo / "README").write_text("changed, and not committed\n")
    return repo


def linked_worktree(repo: Path) -> Path:
    git(repo, "worktree", "add", "-q", str(repo.with_name("linked")), "-b", "other")
    return repo.with_name("linked")


@pytest.mark.parametrize(
    ("make", "checked_out"),
    [
        (shallow, True),
        (detached, False),
        (on_another_branch_and_dirty, False),
        (dirty_elsewhere, True),
        (linked_worktree, False),
    ],
)
def test_work_lands_and_the_user_s_own_files_are_left_alone(
    home: Home, repo: Path, tmp_path: Path, make: Callable[[Path], Path], checked_out: bool
) -> None:
    place = make(repo)
    before = git(place, "status", "--porcelain"), git(place, "rev-parse", "HEAD")
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(place, {"a": [done("a")]}, head='test = ["test", "-e", "a"]'))
    ran = home.run("up", str(plan))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert git(place, "show", "main:a") == "x"
    assert git(place, "status", "--porcelain") == before[0]
    if checked_out:
        assert (place / "a").read_text() == "x\n"
    else:
        assert git(place, "rev-parse", "HEAD") == before[1]
