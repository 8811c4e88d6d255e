"""A plan for a part of a repository, and what its tests find: the same as its agents."""

import json
from pathlib import Path

from tests.doors.acting import Acting
from tests.doors.kit import coder, commit, plan_text
from tests.repositories import git


def test_a_plan_works_copies_sets_up_and_tests_in_its_own_place(acting: Acting, repo: Path) -> None:
    """An ignored secret landed, because it was copied to the worktree's root. Hazard 61."""
    web = repo / "packages" / "web"
    web.mkdir(parents=True)
    (web / ".gitignore").write_text(".env\nbuilt\n")
    (web / "page").write_text("old\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "web")
    (web / ".env").write_text("SECRET=1\n")
    setup = ["sh", "-c", "grep -q SECRET .env && cp .env built"]
    test = ["sh", "-c", "grep -q new page && grep -q SECRET .env && test -e built"]
    head = (
        f'copy = [".env"]\nsetup = {json.dumps(setup)}\ntest = {json.dumps(test)}\ntarget = "main"'
    )
    script = "$ test -e built || exit 1\n" + commit("page", "new", "write it #done")
    acting.begin(plan_text(web, {"a": [coder(script)]}, head=head))
    acting.status("completed")
    tree = git(repo, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert tree == ["README", "packages/web/.gitignore", "packages/web/page"]
    assert (web / "page").read_text() == "new\n"


def test_a_set_up_that_fails_on_the_merged_tree_is_said(acting: Acting, repo: Path) -> None:
    """Hazard 61."""
    head = 'setup = ["sh", "-c", "test ! -e bad || { echo no bad; exit 3; }"]\ntest = ["true"]'
    acting.begin(plan_text(repo, {"a": [coder(commit("bad", "x", "write it #done"))]}, head=head))
    tested = acting.fact("merge.tested")
    assert not tested["passed"]
    assert "no bad" in tested["tail"]
    assert "setup failed with status 3" in tested["tail"]
