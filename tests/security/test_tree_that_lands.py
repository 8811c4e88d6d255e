"""F1: the tree that lands is the tree that was tested, and is the tree that a fresh clone gets."""

from pathlib import Path

import pytest

from tests.doors.acting import Acting, say
from tests.doors.kit import coder, plan_text
from tests.repositories import git

SEES_GOOD = 'test = ["sh", "-c", "grep -q good a"]'

FILTER = """$ git config filter.evil.smudge 'cat >/dev/null; echo good'
$ git config filter.evil.clean cat
$ common=$(git rev-parse --git-common-dir); mkdir -p $common/info
$ echo 'a filter=evil' > $common/info/attributes
"""
REPLACED = "$ git replace $(git rev-parse HEAD:a) $(echo good | git hash-object -w --stdin)\n"
HOOKED = """$ common=$(git rev-parse --git-common-dir); mkdir -p $common/hooks
$ printf '#!/bin/sh\\necho good > a\\n' > $common/hooks/post-checkout
$ chmod +x $common/hooks/post-checkout
"""


def fresh(repo: Path) -> str:
    """What a clone over a transport gets for `a`, "" if there is no such file."""
    place = repo.parent / "fresh"
    git(repo.parent, "clone", "-q", f"file://{repo}", str(place))
    file = place / "a"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("planted", [FILTER, REPLACED, HOOKED], ids=["filter", "replace", "hook"])
def test_what_an_agent_plants_for_the_tests_to_see_lands_nothing(
    acting: Acting, repo: Path, planted: str
) -> None:
    """Hazard 60."""
    evil = "$ echo evil > a; git add -A; git commit -q -m evil\n"
    acting.begin(plan_text(repo, {"a": [coder(evil + planted + say("a #done"))]}, head=SEES_GOOD))
    over = ("failed", "completed")
    row = acting.until(
        lambda row: row["status"] in over or (row.get("held") and row["status"] == "merging")
    )
    if row["status"] == "merging":  # nothing is merged until a person has looked
        assert acting.facts("merge.started") == []
        acting.call("config.restore", workflow="demo")
        row = acting.status(*over)
    assert row["status"] == "failed"
    assert [fact["passed"] for fact in acting.facts("merge.tested")] == [False]
    assert fresh(repo) == ""


def test_a_worktree_planted_in_the_place_of_the_tests_is_none(acting: Acting, repo: Path) -> None:
    """Hazard 60."""
    place = acting.home.path / "worktrees" / "demo" / ".tested"
    plant = f"""$ admin=$(git rev-parse --git-common-dir)/worktrees/evil; mkdir -p $admin {place}
$ echo {place}/.git > $admin/gitdir; echo ../.. > $admin/commondir; echo demo > $admin/callboard
$ git rev-parse HEAD > $admin/HEAD; echo "gitdir: $admin" > {place}/.git; echo good > {place}/a
"""
    evil = "$ echo evil > a\n" + say("evil #done")
    acting.begin(plan_text(repo, {"a": [coder(plant + evil)]}, head=SEES_GOOD))
    assert acting.status("failed", "completed")["status"] == "failed"
    assert fresh(repo) == ""


def test_tests_that_change_their_repository_change_that_of_nobody(
    acting: Acting, repo: Path
) -> None:
    before = (repo / ".git" / "config").read_text()
    deeds = "git config filter.evil.smudge evil && git branch -f main HEAD~1 && git tag evil"
    head = f'test = ["sh", "-c", "git rev-parse HEAD~1 && {deeds}"]'
    acting.begin(plan_text(repo, {"a": [coder("$ echo x > a\n" + say("a #done"))]}, head=head))
    assert acting.status("failed", "completed")["status"] == "completed"
    assert fresh(repo) == "x\n"
    assert git(repo, "tag") == ""
    assert (repo / ".git" / "config").read_text() == before


def test_somebody_who_writes_into_the_tests_directory_is_told_of(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """A filter of the user, slow enough for it, stands for the one who writes."""
    place = acting.home.path / "worktrees" / "demo" / ".tested"
    meddle = tmp_path / "meddle"
    meddle.write_text(f"#!/bin/sh\n[ $PWD != {place} ] || echo good > {place}/a\nexec cat\n")
    meddle.chmod(0o755)
    git(repo, "config", "filter.slow.smudge", str(meddle))
    (repo / ".gitattributes").write_text("z filter=slow\n")
    (repo / "z").write_text("z\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "slow")
    evil = "$ echo evil > a\n" + say("evil #done")
    acting.begin(plan_text(repo, {"a": [coder(evil)]}, head=SEES_GOOD))
    acting.status("failed", "completed")
    (refused,) = acting.facts("merge.refused")
    assert (refused["reason"], refused["files"]) == ("tree_differs", ["a"])
    assert "somebody writes there" in refused["message"]
    assert fresh(repo) == ""
    assert acting.facts("merge.tested") == []
    meddle.write_text("#!/bin/sh\nexec cat\n")
    assert "z" in git(repo, "ls-tree", "--name-only", "main").split()
