"""F17: a target that somebody else moved is a fact with who and what."""

from pathlib import Path

import pytest

from tests.doors.acting import Acting
from tests.doors.kit import coder, done, plan_text
from tests.repositories import git, make_repo

_END = (
    "$ until test -e {flag}; do sleep 0.1; done\n"
    "$ touch b && git add b && git commit -qm 'b #done'\n"
)


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    return tmp_path / "go-on"


def works(repo: Path, script: str, flag: Path) -> str:
    """A plan whose agent does this, and completes when the flag is there."""
    return plan_text(repo, {"a": [coder(script + _END.format(flag=flag))]}, 'test = ["true"]')


def test_an_agents_commit_on_the_target_is_told_with_who_and_what(
    acting: Acting, repo: Path, flag: Path
) -> None:
    old = git(repo, "rev-parse", "main")
    script = (
        f"$ cd {repo} && touch sneaked && git add sneaked && "
        "git -c user.name=Mallory commit -qm sneaked\n"
    )
    acting.begin(works(repo, script, flag))
    told = acting.fact("target.moved")
    new = git(repo, "rev-parse", "main")
    assert (told["ref"], told["old"], told["new"]) == ("refs/heads/main", old, new)
    assert (told["commits"], told["count"], told["forced"]) == ([new], 1, False)
    assert told["who"].startswith("Mallory <")
    assert told["how"] == "commit: sneaked"
    assert told["checkouts"] == [str(repo)]
    assert told["at_work"] == ["demo/a/1/"]
    assert "main moved outside of Callboard, by Mallory" in acting.home.ok("ps", "demo")
    assert "refs/heads/main: " in acting.home.ok("why", "demo")
    flag.touch()
    acting.status("completed")
    assert len(acting.facts("target.moved")) == 1  # what landed is no move of somebody else
    assert "outside of Callboard" not in acting.home.ok("ps", "demo")


@pytest.mark.parametrize("how", ["reset", "update-ref", "deleted"])
def test_a_target_that_was_set_back_or_deleted_is_told(
    acting: Acting, repo: Path, flag: Path, how: str
) -> None:
    (repo / "second").touch()
    git(repo, "add", "second")
    git(repo, "commit", "-q", "-m", "second")
    old, back = git(repo, "rev-parse", "main"), git(repo, "rev-parse", "main^")
    words = {
        "reset": f"cd {repo} && git reset -q --soft HEAD^",
        "update-ref": "git update-ref refs/heads/main main^",
        "deleted": "git update-ref -d refs/heads/main",
    }
    acting.begin(works(repo, f"$ {words[how]}\n", flag))
    told = acting.fact("target.moved")
    new = "" if how == "deleted" else back
    assert (told["old"], told["new"], told["forced"], told["commits"]) == (old, new, True, [])


def test_a_push_from_a_worktree_is_told_and_a_fetch_is_not(
    acting: Acting, repo: Path, flag: Path, tmp_path: Path
) -> None:
    remote = make_repo(tmp_path / "remote", {"OTHER": "of another history\n"})
    git(remote, "config", "receive.denyCurrentBranch", "ignore")
    git(repo, "remote", "add", "origin", str(remote))
    git(repo, "fetch", "-q", "origin")
    script = (
        "$ touch pushed && git add pushed && git commit -qm pushed\n"
        "$ git push -q --force origin HEAD:main && git commit -q --allow-empty -m checkpoint\n"
    )
    acting.begin(works(repo, script, flag))
    told = acting.fact("target.moved")
    pushed = git(remote, "rev-parse", "main")
    assert (told["ref"], told["new"]) == ("refs/remotes/origin/main", pushed)
    assert (told["how"], told["forced"]) == ("update by push", True)
    git(remote, "commit", "-q", "--allow-empty", "-m", "another's")
    git(repo, "fetch", "-q", "origin")
    flag.touch()
    acting.status("completed")
    assert len(acting.facts("target.moved")) == 1


def test_what_another_workflow_of_the_home_lands_is_told_by_that_workflow_alone(
    acting: Acting, repo: Path, flag: Path, tmp_path: Path
) -> None:
    acting.begin(works(repo, "", flag))
    other = plan_text(repo, {"o": [done("o")]}, 'test = ["true"]').replace('"demo"', '"other"', 1)
    acting.call("plan.submit", plan=other, base=str(tmp_path))
    acting.home.ok("prepare", "other")
    acting.home.ok("start", "other")
    acting.home.until(lambda row: row["status"] == "completed", "other")
    flag.touch()
    acting.status("completed")
    assert acting.facts("target.moved") == []
    assert git(repo, "log", "-1", "--format=%P", "main").split()[0] == git(
        repo, "rev-parse", "main^"
    )
