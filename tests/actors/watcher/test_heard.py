"""A change in a worktree's registration is heard by the workflow that the worktree belongs to."""

import subprocess
from pathlib import Path

import pytest

from actors.git.watching.directories import ANYTHING
from actors.watcher.heard import Heard
from actors.watcher.watches import News, place_of


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a worktree `t0` of each of two workflows, `one` and `two`."""
    path = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    run = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-C", str(path)]
    subprocess.run([*run, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    for workflow in ("one", "two"):
        place = str(tmp_path / "worktrees" / workflow / "t0")
        subprocess.run([*run, "worktree", "add", "-q", "-b", workflow, place], check=True)
    return path


def listener(worktrees: Path) -> Heard:
    heard = Heard(worktrees)
    heard.want(frozenset({"refs/heads/mine"}))
    return heard


def news(repository: Path, *names: str) -> News:
    return {name: place_of(str(repository / ".git"), name) for name in names}


def test_each_hears_of_its_own_worktree(repository: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "worktrees")
    one, two = (
        listener(tmp_path / "worktrees" / "one"),
        listener(link / "two"),
    )
    assert sorted(each.name for each in (repository / ".git" / "worktrees").iterdir()) == [
        "t0",
        "t01",
    ]
    assert one.add(news(repository, "worktrees/t0"))
    assert not one.add(news(repository, "worktrees/t01"))
    assert two.add(news(repository, "worktrees/t01"))
    assert not two.add(news(repository, "worktrees/t0"))
    assert one.take() == {"worktrees/t0"}


def test_its_own_stays_its_own_when_it_is_moved_or_removed(
    repository: Path, tmp_path: Path
) -> None:
    one = listener(tmp_path / "worktrees" / "one")
    assert one.add(news(repository, "worktrees/t0"))
    one.take()
    moved = tmp_path / "elsewhere"
    git = ["git", "-C", str(repository), "worktree"]
    subprocess.run(
        [*git, "move", str(tmp_path / "worktrees" / "one" / "t0"), str(moved)], check=True
    )
    assert one.add(news(repository, "worktrees/t0"))
    one.take()
    subprocess.run([*git, "remove", str(moved)], check=True)
    assert one.add(news(repository, "worktrees/t0"))


def test_what_nobody_can_name_is_heard_by_all(repository: Path, tmp_path: Path) -> None:
    one = listener(tmp_path / "worktrees" / "one")
    assert one.add(news(repository, ANYTHING, "worktrees/t01"))
    one.take()
    assert not one.add(news(repository, "refs/heads/others"))
    assert one.add(news(repository, "refs/heads/mine"))
