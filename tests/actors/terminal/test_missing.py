"""What a terminal is told is missing: each way of not finishing, in a real repository.

Hazard 68.
"""

import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.terminal.missing import UNKNOWN, Place, missing
from tests.repositories import git, make_repo


class Scene:
    """A repository with a task's worktree, in which a terminal works since a second ago."""

    def __init__(self, tmp_path: Path) -> None:
        self.repo = make_repo(tmp_path / "repo")
        self.worktree = tmp_path / "worktree"
        git(self.repo, "branch", "feat/other")
        git(self.repo, "worktree", "add", "-q", "-b", "feat/a", str(self.worktree))
        self.base = git(self.repo, "rev-parse", "main")
        env = {**os.environ, "GIT_AUTHOR_DATE": "@1 +0000", "GIT_COMMITTER_DATE": "@1 +0000"}
        subprocess.run(
            ["git", "commit", "-q", "--allow-empty", "-m", "by the terminal before"],
            cwd=self.worktree,
            env=env,
            check=True,
        )
        self.since = datetime.fromtimestamp(time.time() - 1, UTC).isoformat()

    def sh(self, script: str) -> None:
        subprocess.run(["sh", "-e", "-c", script], cwd=self.worktree, check=True)

    def missing(self, *landed: str) -> str:
        place = Place(
            worktree=str(self.worktree),
            branch="feat/a",
            base=self.base,
            since=self.since,
            others=frozenset({"feat/other"}),
            landed=frozenset(landed),
        )
        return missing(place)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


COMMIT = "git commit -q --allow-empty -m"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("true", "Nothing was changed and nothing was committed."),
        ("echo x > 'a b'; echo y >> README", "These changes are not committed: README, a b."),
        (f"{COMMIT} 'Login page'", "has no mark."),
        (f"{COMMIT} 'Login page `#done`'", "does not count: it must be written in small letters"),
        (f"{COMMIT} 'Login page #Done'", "does not count: it must be written in small letters"),
        ("git switch -q -c mine; " + COMMIT + " 'x #done'", "is on the branch mine, but only"),
        ("git checkout -q --detach; " + COMMIT + " 'x #done'", "is on no branch (detached HEAD)"),
        ("cd ../repo; " + COMMIT + " 'x #done'", "There are new commits on main, but only those"),
        ("echo x > new; git add new; git stash -q", "There is work in a stash: stash@{0}."),
        (
            "git config user.useConfigOnly true; git config --unset user.email",
            "Git has no identity here",
        ),
    ],
)
def test_each_way_of_not_finishing_is_named(
    scene: Scene, script: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    scene.sh(script)
    found = scene.missing()
    assert said in found


def test_only_what_is_the_terminals_own_is_named(scene: Scene) -> None:
    """Neither a stash of another branch, nor another task's commits, nor an older commit."""
    scene.sh("cd ../repo; git switch -q feat/other; git commit -q --allow-empty -m 'other #done'")
    scene.sh("cd ../repo; echo x > new; git add new; git stash -q; git switch -q main")
    assert scene.missing() == "Nothing was changed and nothing was committed."


def test_what_is_made_in_another_worktree_is_not_the_terminals_own(scene: Scene) -> None:
    """Two terminals work in one repository, and one leaves its branch."""
    scene.sh("git worktree add -q -b theirs ../theirs; cd ../theirs; " + COMMIT + " 'x #done'")
    assert scene.missing() == "Nothing was changed and nothing was committed."
    scene.sh("cd ../repo; " + COMMIT + " 'x #done'")
    found = scene.missing()
    assert found.startswith("Nothing was changed and nothing was committed. There are new commits")
    assert " on main, but only those on feat/a count." in found


def test_a_path_may_have_a_line_break(scene: Scene) -> None:
    """A user's worktree has one, or the home has. Hazard 73."""
    scene.sh("git worktree add -q -b theirs '../the\nirs\u2028'")
    scene.sh("cd ../repo; " + COMMIT + " 'x #done'")
    assert " There are new commits on main, but only those on feat/a count." in scene.missing()


def test_what_another_workflow_landed_is_not_the_terminals_own(scene: Scene) -> None:
    scene.sh("cd ../repo; git commit -q --allow-empty -m 'landed'")
    landed = git(scene.repo, "rev-parse", "main")
    assert "There are new commits on main" in scene.missing()
    assert "new commits" not in scene.missing(landed)
    scene.sh("cd ../repo; git commit -q --allow-empty -m 'by the terminal'")
    assert "There are new commits on main" in scene.missing(landed)


def test_a_worktree_that_is_gone_is_said(scene: Scene) -> None:
    scene.sh("rm -rf ../worktree")
    assert scene.missing().startswith(f"{UNKNOWN} (")


@pytest.mark.parametrize("end", ["\u2029", "\u2028", "\x85"])
def test_names_that_hold_ends_of_lines_are_names(scene: Scene, end: str) -> None:
    """Hazard 84. An agent makes a branch and a worktree; others are asked what is missing, too."""
    scene.sh(f"git branch 'o{end}ther'; git worktree add -q -b more '../a{end}b\nc'")
    assert scene.missing() == "Nothing was changed and nothing was committed."
