"""F4, F5, F1.

What our own git does for an agent: nothing with our keys, in nobody's repository but the one it was
asked about, and on the objects that a clone gets.
"""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from actors.git.reading.changes import changed
from actors.git.reading.examination import Dirty, Examination
from actors.git.running.command import git
from actors.git.running.environment import project_env
from actors.git.trees.pins import pin
from actors.git.users.repository import is_dirty
from bus import plan
from tests.repositories import git as user_git
from tests.repositories import make_repo


@pytest.fixture
def trap(repo: Path, tmp_path: Path) -> Path:
    """The file that a filter of a nested repository makes, if anybody runs it.

    `.gitmodules` says that the nested repository must be looked into.
    """
    made = tmp_path / "ran"
    nested = make_repo(repo / "nested", {"f": "x\n", ".gitattributes": "f filter=evil\n"})
    user_git(nested, "config", "filter.evil.clean", f"touch {made}; cat")
    rule = '[submodule "nested"]\n\tpath = nested\n\turl = ./nested\n\tignore = none\n'
    (repo / ".gitmodules").write_text(rule)
    user_git(repo, "-c", "advice.addEmbeddedRepo=false", "add", "-A")
    user_git(repo, "commit", "-q", "-m", "a nested repository")
    (nested / "f").write_text("y\n")
    made.unlink(missing_ok=True)
    return made


def test_no_filter_of_a_nested_repository_runs(repo: Path, trap: Path) -> None:
    """Hazard 59."""
    assert list(changed(str(repo))) == []
    assert is_dirty(str(repo))  # by libgit2, which runs none
    assert not isinstance(Examination(str(repo)).look(0.0), Dirty)
    place = repo.parent / "worktree"
    user_git(repo, "worktree", "add", "-q", "--detach", str(place))
    shutil.copytree(repo / "nested", place / "nested", dirs_exist_ok=True)
    (place / "new").write_text("n\n")
    trap.unlink(missing_ok=True)
    kept = pin(str(repo / ".git"), str(place), "x")
    assert kept.unpinned == ("nested",)
    assert user_git(repo, "show", f"{kept.ref}:new") == "n"
    assert not trap.exists()
    user_git(repo, "status")  # the trap is one: the user's own git does step into it
    assert trap.exists()


def test_a_filter_sees_no_key(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 59."""
    seen = tmp_path / "seen"
    user_git(repo, "config", "filter.spy.clean", f"env > {seen}; cat")
    (repo / ".gitattributes").write_text("README filter=spy\n")
    keys = ("GLM_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "UNHEARD_OF")
    for name in keys:
        monkeypatch.setenv(name, "planted-key")
    monkeypatch.setenv("MY_AGE_FILE", "wanted")
    monkeypatch.setenv("CALLBOARD_GIT_ENV", "MY_AGE_*, NONE")
    git("add", "-A", at=str(repo))
    said = seen.read_text()
    assert "planted-key" not in said
    assert "MY_AGE_FILE=wanted" in said
    assert os.environ["PATH"] in said


def test_a_replaced_object_is_read_as_it_is_stored(repo: Path) -> None:
    good = user_git(repo, "rev-parse", "HEAD:README")
    (repo / "evil").write_text("evil\n")
    evil = user_git(repo, "hash-object", "-w", "evil")
    user_git(repo, "replace", good, evil)
    assert user_git(repo, "cat-file", "-p", good) == "evil"
    assert git("cat-file", "-p", good, at=str(repo)) == b"a sample\n"


def test_a_commit_is_read_as_it_is_stored_and_not_as_a_graph_says(repo: Path) -> None:
    """A walk through the history believes a commit graph, and its parents and trees."""
    good = user_git(repo, "rev-parse", "HEAD^{tree}")
    (repo / "evil").write_text("evil\n")
    user_git(repo, "add", "-A")
    user_git(repo, "commit", "-qm", "evil")
    evil = user_git(repo, "rev-parse", "HEAD^{tree}")
    user_git(repo, "commit-graph", "write", "--reachable")
    graph = repo / ".git/objects/info/commit-graph"
    planted = graph.read_bytes()[:-20].replace(bytes.fromhex(evil), bytes.fromhex(good))
    graph.chmod(0o600)
    graph.write_bytes(planted + hashlib.sha1(planted, usedforsecurity=False).digest())
    assert user_git(repo, "log", "-1", "--format=%T") == good
    assert git("log", "-1", "--format=%T", at=str(repo)).decode().strip() == evil


def test_the_tests_get_no_key_that_the_plan_does_not_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    providers = tmp_path / "callboard/providers.toml"
    providers.parent.mkdir()
    providers.write_text('[mine]\nbase_url = "https://x"\napi_key_env = "GLM_KEY"\n[broken\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    text = 'name = "x"\nrepo = "/r"\ntest_env = ["DATABASE_PASSWORD"]\n'
    text += '[provider.p]\nbase_url = "https://x"\napi_key_env = "ODD_NAME"\n'
    text += '[orchestrator]\nbase_url = "https://x"\napi_type = "openai"\nmodel = "m"\n'
    text += 'api_key_env = "BRAIN"\n'
    text += '[notify]\nurl = "https://x"\nsecret_env = "SIGNS"\n'
    text += '[[task]]\nid = "a"\nbranch = "b"\n[[task.terminal]]\ncli = "c"\ninstruction = "i"\n'
    secret = ("ODD_NAME", "AWS_PROFILE", "GITHUB_TOKEN", "GLM_API_KEY", "NPM_AUTH_TOKEN")
    named = ("GLM_KEY", "BRAIN", "SIGNS")
    for name in (*secret, *named, "DATABASE_PASSWORD", "COLUMNS_WANTED"):
        monkeypatch.setenv(name, "1")
    env = project_env(plan.decode(text))
    assert not {*secret, *named} & set(env)
    assert {"DATABASE_PASSWORD", "COLUMNS_WANTED", "PATH"} <= set(env)
