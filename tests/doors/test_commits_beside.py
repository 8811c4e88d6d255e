"""A word that an agent commits in its worktree, but not on its branch, is seen at once, counts
for nothing, and is said to be in the wrong place."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import Home, git
from test_git_storm import Watched


@pytest.fixture
def watched(home: Home, repo: Path, tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(home, repo, tmp_path, ["a", "b"])
    yield watched
    watched.subscriber.close()


@pytest.mark.parametrize(
    ("checkout", "where"),
    [(["-b", "mine/own"], "branch mine/own"), (["--detach"], "no branch")],
    ids=["other branch", "no branch"],
)
def test_a_word_beside_the_branch_is_rejected(
    watched: Watched, checkout: list[str], where: str
) -> None:
    worktree = watched.worktrees["a"]
    git(worktree, "checkout", "-q", *checkout)
    git(worktree, "commit", "-q", "--allow-empty", "-m", "Not said where it counts")
    git(worktree, "commit", "-q", "--allow-empty", "-m", "All of it #done")
    watched.until(type="commit.rejected", commit=git(worktree, "rev-parse", "HEAD"))
    problems = [f["problem"] for f in watched.facts if f["type"] == "commit.seen"]
    assert problems == [f"it was made on {where}; this task's branch is feat/a"]
    assert git(watched.repo, "rev-parse", "feat/a") == git(watched.repo, "rev-parse", "main")
