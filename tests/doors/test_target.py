"""The target: it moves, stands in the way, or is protected; it is never overwritten."""

import json
from pathlib import Path

from tests.doors.acting import Acting
from tests.doors.kit import coder, commit, done, plan_text
from tests.repositories import git


def test_a_target_that_moves_under_the_tests_is_merged_and_tested_again(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 44."""
    flag = tmp_path / "moved"
    check = (
        f"test -e {flag} || {{ touch {flag}; cd {repo}; echo y > theirs; git add theirs;"
        " git commit -q -m theirs; }"
    )
    acting.begin(
        plan_text(repo, {"a": [done("a")]}, head=f"test = {json.dumps(['sh', '-c', check])}")
    )
    acting.status("completed")
    theirs = git(repo, "rev-parse", "main^1")
    assert git(repo, "log", "-1", "--format=%s", theirs) == "theirs"
    moved = acting.facts("merge.target_moved")
    assert [fact["new"] for fact in moved] == [theirs]
    tested = acting.facts("merge.tested")
    assert len(tested) == 2
    assert tested[0]["commit"] != tested[1]["commit"] == git(repo, "rev-parse", "main")
    assert (repo / "theirs").exists()
    assert git(repo, "status", "--porcelain") == ""


def test_changed_files_in_the_way_are_named_and_it_lands_when_they_are_gone(
    acting: Acting, repo: Path
) -> None:
    plan = plan_text(repo, {"a": [coder(commit("README", "new", "r #done"))]})
    (repo / "README").write_text("mine\n")
    acting.begin(plan)
    row = acting.status("failed")
    assert "README" in acting.facts("repair.offered")[-1]["evidence"]
    assert "changed files in the way" in row["reason"]
    refused = acting.home.run("repair", "demo", "--cli", "scripted")
    assert refused.returncode == 4
    assert "merge demo --continue" in refused.stderr
    git(repo, "checkout", "README")
    acting.again()
    acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")
    assert (repo / "README").read_text() == "new\n"


def test_a_hook_that_protects_the_target_refuses_with_its_words(acting: Acting, repo: Path) -> None:
    hook = repo / ".git" / "hooks" / "reference-transaction"
    hook.write_text(
        "#!/bin/sh\n"
        'test "$1" = prepared || exit 0\n'
        "grep -q refs/heads/main && echo main is protected here >&2 && exit 1\nexit 0\n"
    )
    hook.chmod(0o755)
    before = git(repo, "rev-parse", "main")
    acting.begin(plan_text(repo, {"a": [done("a")]}))
    row = acting.status("failed")
    refused = acting.facts("merge.refused")[-1]
    assert refused["reason"] == "ref_refused"
    assert "main is protected here" in refused["message"]
    assert "git refused to move main" in row["reason"]
    assert git(repo, "rev-parse", "main") == before
    assert git(repo, "status", "--porcelain") == ""
    hook.unlink()
    acting.fact("repository.changed")
    acting.home.ok("config", "accept", "demo")
    acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")
    assert (repo / "a").exists()


def test_a_target_that_is_gone_is_said_and_goes_on_when_it_is_back(
    acting: Acting, repo: Path
) -> None:
    git(repo, "branch", "release")
    plan = plan_text(repo, {"a": [coder("@ sleep 3\n" + commit("a", "x", "a #done"))]})
    acting.begin('target = "release"\n' + plan)
    acting.fact("instruction.sent")
    git(repo, "branch", "-D", "release")
    row = acting.status("failed")
    assert "no branch 'release'" in row["reason"]
    git(repo, "branch", "release", "main")
    acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")
    assert git(repo, "show", "release:a") == "x"
