"""F2: what lands is the commit that was accepted, whatever the branch holds by then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.doors.acting import Acting, Row, say, task, terminal
from tests.doors.kit import coder, done, plan_text
from tests.repositories import git

REVIEW = "$ echo good > a\n" + say("work #review")


def later(repo: Path, branch: str, name: str, message: str = "one more thing") -> str:
    """A commit on a task's branch by a process that is none of its terminals'."""
    place = repo.parent / f"aside-{name}"
    git(repo, "worktree", "add", "-q", "--detach", str(place), branch)
    (place / name).write_text("x")
    git(place, "add", name)
    git(place, "commit", "-q", "-m", message)
    commit = git(place, "rev-parse", "HEAD")
    git(repo, "update-ref", f"refs/heads/{branch}", commit)
    git(repo, "worktree", "remove", str(place))
    return commit


def held(acting: Acting, repo: Path, tmp_path: Path, first: list[dict[str, Any]]) -> Path:
    """A plan whose task `a` is done while `b` waits for the file that is returned."""
    gate = tmp_path / "gate"
    waits = f"$ until [ -e {gate} ]; do sleep 0.05; done\n$ echo x > b\n" + say("b #done")
    acting.begin(plan_text(repo, {"a": first, "b": [coder(waits)]}))
    return gate


def is_task(id: str, wanted: str) -> Callable[[Row], bool]:
    return lambda row: bool(task(row, id)["status"] == wanted)


def test_a_commit_after_the_approval_waits_for_a_person(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 57."""
    gate = held(acting, repo, tmp_path, [coder(REVIEW)])
    acting.until(is_task("a", "review_pending"))
    acting.home.ok("approve", "demo/a")
    approved = git(repo, "rev-parse", "feat/a")
    evil = later(repo, "feat/a", "evil")
    told = acting.fact("task.reopened")
    assert (told["address"], told["accepted"], told["commit"]) == ("demo/a/", approved, evil)
    gate.touch()
    row = acting.until(lambda row: terminal(row, "b/1")["gone"])
    assert row["status"] == "running"
    assert task(row, "a")["status"] == "review_pending"
    git(repo, "update-ref", "refs/heads/feat/a", approved)
    acting.status("completed")
    assert "evil" not in git(repo, "ls-tree", "--name-only", "main").split()


def test_it_lands_once_a_person_has_approved_it_too(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    gate = held(acting, repo, tmp_path, [done("a")])
    acting.until(is_task("a", "completed"))
    acting.until(lambda row: terminal(row, "a/1")["gone"])
    commit = later(repo, "feat/a", "more", "more #done")
    acting.fact("task.reopened")
    refused = acting.home.run("approve", "demo/a", "--commit", "0" * 40)
    assert refused.returncode == 4
    acting.home.ok("approve", "demo/a", "--commit", commit)
    gate.touch()
    acting.status("completed")
    assert "more" in git(repo, "ls-tree", "--name-only", "main").split()


def test_a_commit_during_the_tests_is_left_out(acting: Acting, repo: Path, tmp_path: Path) -> None:
    """Hazard 57."""
    gate = tmp_path / "gate"
    test = f'test = ["sh", "-c", "until [ -e {gate} ]; do sleep 0.05; done"]'
    acting.begin(plan_text(repo, {"a": [done("a")]}, head=test))
    acting.fact("merge.started")
    evil = later(repo, "feat/a", "evil")
    told = acting.fact("commit.rejected")
    assert told["commit"] == evil
    gate.touch()
    acting.status("completed")
    assert git(repo, "ls-tree", "--name-only", "main").split() == ["README", "a"]


def test_an_amend_right_after_the_word_is_landed_or_left_out_and_never_both(
    acting: Acting,
    repo: Path,
) -> None:
    """The program says `#done`, and amends that commit before it is ended."""
    amends = "$ echo x > a; git add -A; git commit -q -m 'a #done'\n"
    amends += "$ echo y > a; git commit -q -a --amend --no-edit\n"
    acting.begin(plan_text(repo, {"a": [coder(amends)]}))
    row: Row = acting.status("completed", "running")
    row = acting.until(lambda row: terminal(row, "a/1")["gone"])
    if task(row, "a")["status"] == "review_pending":
        acting.home.ok("approve", "demo/a")
    row = acting.status("completed")
    landed = task(row, "a")["accepted"]
    assert git(repo, "merge-base", "main", landed) == landed
    assert git(repo, "show", "main:a") == git(repo, "show", f"{landed}:a")
    rejected = [fact["commit"] for fact in acting.facts("commit.rejected")]
    assert landed not in rejected
