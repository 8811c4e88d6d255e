"""A repository whose filter hangs while a worktree is made: only its own workflow waits."""

from pathlib import Path

import pytest

from actors.git.running import command
from tests.actors.served import Served, facts, lives, submit, until
from tests.doors.kit import done, plan_text
from tests.repositories import git, make_repo


def hangs(repo: Path, gate: Path) -> Path:
    """Every checkout waits for `gate`; where the filter says that it was begun."""
    begun = gate.with_name("begun")
    (repo / ".gitattributes").write_text("* filter=slow\n")
    script = f"echo $$ >> '{begun}'; while [ ! -e '{gate}' ]; do sleep 0.05; done; cat"
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "filtered")
    git(repo, "config", "filter.slow.smudge", script)
    return begun


def test_another_workflow_is_launched_while_a_filter_hangs(served: Served, tmp_path: Path) -> None:
    gate, slow = tmp_path / "gate", make_repo(tmp_path / "slow")
    begun = hangs(slow, gate)
    first = submit(served, plan_text(slow, {"a": [done("a")]}))
    until(begun.exists)
    second = submit(served, plan_text(make_repo(tmp_path / "repo"), {"a": [done("a")]}))
    try:
        served.until_status(second, "ready")
        assert served.client.call("workflow.get", workflow=first)["status"] == "starting"
    finally:
        gate.touch()
    served.until_status(first, "ready")


def test_at_its_limit_the_launch_says_what_may_hang(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "GIT_SECONDS", 2.0)
    slow = make_repo(tmp_path / "slow")
    begun = hangs(slow, tmp_path / "gate")
    name = submit(served, plan_text(slow, {"a": [done("a")]}))
    served.until_status(name, "failed")
    assert not any(lives(int(pid)) for pid in begun.read_text().split())
    (failed,) = facts(served, "terminal.launch_failed")
    assert "a filter of the repository may be hanging" in failed["reason"]
    git(slow, "config", "filter.slow.smudge", "cat")
    monkeypatch.setattr(command, "GIT_SECONDS", 60.0)
    served.client.call("workflow.prepare", workflow=name)
    served.until_status(name, "ready")
