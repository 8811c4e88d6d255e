"""What fails again and again at one place is told, shown, and can be gone on with."""

from pathlib import Path

from tests.doors.kit import Home, done, plan_text, types
from tests.repositories import git


def test_a_merger_that_fails_again_and_again_is_a_failed_merge_that_can_be_continued(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """Hazard 64. An object of the target is missing; it is put back, and the merge continued."""
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}, 'test = ["true"]'))
    home.serve()
    home.ok("submit", str(plan))
    home.ok("prepare", "demo")
    (repo / "of-the-user").write_text("new on the target")
    git(repo, "add", "of-the-user")
    git(repo, "commit", "-q", "-m", "new on the target")
    blob = git(repo, "rev-parse", "HEAD:of-the-user")
    (repo / ".git/objects" / blob[:2] / blob[2:]).unlink()
    home.ok("start", "demo")
    row = home.until(lambda row: row["status"] == "failed", timeout=90)
    assert "failed 7 times in a row" in row["reason"]
    told = [fact for fact in home.facts() if fact["type"] == "actor.failing"]
    assert told[0]["address"] == "demo/"
    assert told[0]["actor"].endswith("/merger/")
    assert "merge demo --continue" in home.ok("why", "demo")
    git(repo, "hash-object", "-w", "of-the-user")
    home.ok("merge", "demo", "--continue")
    home.until(lambda row: row["status"] == "completed")


def test_a_watcher_that_fails_again_and_again_is_shown_beside_the_status(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    """Hazard 64. The workflow's repository is gone for a while."""
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}))
    home.serve()
    home.ok("submit", str(plan))
    home.ok("prepare", "demo")
    (repo / ".git").rename(repo / "elsewhere")
    home.until(lambda row: "git watcher failed" in row["reason"], timeout=90)
    assert "git watcher failed" in home.ok("ps")
    assert "actor.failing" in types(home.facts("demo"))
    (repo / "elsewhere").rename(repo / ".git")
    home.ok("start", "demo")
    home.until(lambda row: row["status"] == "completed")
