"""A repository that is moved away while its workflow works, and another one put in its place."""

import shutil
from pathlib import Path

import pytest

from actors.watcher import actor as watcher
from tests.actors.served import Served, submit
from tests.doors.kit import done, plan_text
from tests.repositories import git, make_repo


@pytest.mark.parametrize("told", ["by the system", "by the slow look"])
def test_what_is_committed_in_the_one_that_took_its_place_is_seen(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    if told == "by the slow look":
        monkeypatch.setattr(watcher, "RECONCILE_SECONDS", 1.0)
        monkeypatch.setattr(watcher.Watcher, "_changed", lambda *_: None)
    repo = make_repo(tmp_path / "above/repo")
    name = submit(served, plan_text(repo, {"a": [done("a", "text")]}))
    served.until_status(name, "ready")
    shutil.copytree(tmp_path / "above", tmp_path / "copy", symlinks=True)
    (tmp_path / "above").rename(tmp_path / "old")
    (tmp_path / "copy").rename(tmp_path / "above")
    served.client.call("workflow.start", workflow=name)
    served.until_status(name, "completed")
    assert git(repo, "show", "main:a") == "text"
    assert git(tmp_path / "old/repo", "rev-parse", "main") == git(repo, "rev-parse", "main~1")
