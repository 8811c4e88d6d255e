"""Real repositories, made by the real `git`, far from the user's configuration."""

import os
from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ConfigLevel

from tests.repositories import Repo


@pytest.fixture(autouse=True)
def _no_user_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Neither the `git` program nor libgit2 sees the user's configuration."""
    for key in [key for key in os.environ if key.startswith("GIT_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = pygit2.settings.search_path
    levels = (ConfigLevel.SYSTEM, ConfigLevel.GLOBAL, ConfigLevel.XDG)
    before = {level: paths[level] for level in levels}
    for level in levels:
        paths[level] = str(tmp_path / "no-config")
    yield
    for level in levels:
        paths[level] = before[level]


@pytest.fixture
def empty(tmp_path: Path) -> Repo:
    """A repository without a commit."""
    repo = Repo.made(tmp_path / "repo")
    repo.git("config", "gc.auto", "0")
    return repo


@pytest.fixture
def repo(empty: Repo) -> Repo:
    """A repository with one commit on `main`, checked out."""
    empty.commit("First", {"a.txt": "a\n", "b.txt": "b\n", "dir/c.txt": "c\n"})
    return empty


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Callboard's home."""
    path = tmp_path / "home"
    path.mkdir()
    return path
