"""F15: whatever an agent writes into the shared repository, a person can stop the work."""

from pathlib import Path

import pytest

from tests.doors.acting import Acting, say
from tests.doors.kit import coder, plan_text
from tests.repositories import git

CONFIG = "$(git rev-parse --git-common-dir)/config"
SETTINGS = {
    "nowhere": f"$ git config -f {CONFIG} core.worktree /nonexistent\n",
    "its own": f"$ git config -f {CONFIG} core.worktree $PWD\n",
    "garbage": f"$ echo '[[[' >> {CONFIG}\n",
    "extension": f"$ git config -f {CONFIG} core.repositoryformatversion 1\n"
    f"$ git config -f {CONFIG} extensions.x 1\n",
}
BROKEN = {
    "garbage": "[[[\n",
    "extension": "[core]\nrepositoryformatversion = 1\n[extensions]\nx = 1\n",
}
READABLE = ("nowhere", "its own")


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_workflow_can_be_stopped_whatever_an_agent_has_set(
    acting: Acting, repo: Path, tmp_path: Path, setting: str
) -> None:
    script = "$ echo x > a; git add -A; git commit -qm work; echo y > a\n" + SETTINGS[setting]
    script += f"$ touch {tmp_path}/set; sleep 99\n"
    acting.begin(plan_text(repo, {"a": [coder(script)]}))
    acting.until(lambda _row: (tmp_path / "set").exists())
    acting.home.ok("stop", "demo")
    row = acting.until(lambda row: row["status"] == "cancelled" and row["tidied"])
    assert row["tasks"][0]["terminals"][0]["gone"]
    if setting in READABLE:
        pinned = [ref.name for ref in (repo / ".git/refs/callboard/demo").iterdir()]
        assert "a" in pinned
        assert acting.facts("actor.failed") == []
    else:  # nothing could be kept, so everything stays where it is
        assert (acting.home.path / "worktrees/demo/a/a").read_text() == "y\n"


@pytest.mark.parametrize("setting", BROKEN)
def test_a_merge_that_git_cannot_make_ends_and_goes_on_when_a_person_has_mended_it(
    acting: Acting, repo: Path, tmp_path: Path, setting: str
) -> None:
    """The agent does it after its word."""
    gate = tmp_path / "gate"
    config = (repo / ".git" / "config").read_text()
    test = f'test = ["sh", "-c", "until [ -e {gate} ]; do sleep 0.05; done"]'
    acting.begin(plan_text(repo, {"a": [coder("$ echo x > a\n" + say("a #done"))]}, head=test))
    acting.fact("merge.started")
    (repo / ".git" / "config").write_text(config + BROKEN[setting])
    gate.touch()
    acting.until(lambda row: row["status"] == "failed" or acting.facts("repository.changed"))
    (repo / ".git" / "config").write_text(config)
    if acting.row()["status"] == "failed":
        acting.home.ok("merge", "demo", "--continue")
    acting.status("completed")
    assert git(repo, "show", "main:a") == "x"
