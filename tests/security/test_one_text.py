"""F6, F7: no text and no special file keeps a runtime busy, or waiting."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.clis.edit import ConfigError, edited
from actors.git.reading.reflog import entries
from actors.git.reading.refs import RefScanner, read_ref
from actors.git.running.places import own_git_dir
from actors.git.watching.directories import watched_directories
from actors.platform.files import read_bounded
from tests.bus.test_linear import BOUND, growth
from tests.repositories import git, make_repo

JSONC: dict[str, Callable[[int], str]] = {
    "a ruler after a comma": lambda n: '{"a": 1,\n' + "/" * n + "\n}",
    "commas and comments": lambda n: "," + "//\n" * (n // 3),
    "blanks after a comma": lambda n: "," + " " * n + "x",
    "commas": lambda n: "," * n,
    "comments that do not end": lambda n: "/*" * (n // 2),
    "a string that does not end": lambda n: '"' + '\\"' * (n // 2),
    "a string that ends in the escape": lambda n: '"' + '\\"' * (n // 2) + "\\",
    "escapes": lambda n: "\\" * n,
}
PLANTS: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a directory": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "64 MB": lambda path: path.write_bytes(b"a" * (64 << 20)),
}


@pytest.mark.parametrize("worst", JSONC)
def test_a_users_configuration_is_read_in_linear_time(worst: str) -> None:
    def read(text: str) -> None:
        with contextlib.suppress(ConfigError):
            edited(text, "json", {"a": 2})

    assert growth(read, JSONC[worst]) < BOUND


@pytest.mark.parametrize("plant", PLANTS)
def test_what_lies_in_place_of_a_ref_is_a_broken_ref(tmp_path: Path, plant: str) -> None:
    repo = make_repo(tmp_path / "repo")
    oid = git(repo, "rev-parse", "main")
    PLANTS[plant](repo / ".git/refs/heads/evil")
    state = RefScanner(str(repo / ".git")).scan()
    assert state.heads == {"refs/heads/main": oid}
    assert read_ref(str(repo / ".git"), "refs/heads/evil") in (None, "")


@pytest.mark.parametrize("plant", PLANTS)
def test_what_lies_in_place_of_a_git_directory_stops_nobody(tmp_path: Path, plant: str) -> None:
    PLANTS[plant](tmp_path / ".git")
    try:
        found = own_git_dir(tmp_path)
    except OSError:
        found = None
    assert found in (None, tmp_path / ".git")


def test_a_reflog_that_is_a_fifo_is_none(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    (repo / ".git/logs/refs/heads/main").unlink()
    os.mkfifo(repo / ".git/logs/refs/heads/main")
    assert list(entries(str(repo / ".git"), "refs/heads/main")) == []


def test_refs_may_be_nested_as_deep_as_they_like(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    oid = git(repo, "rev-parse", "main")
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(repo / ".git/refs/heads")
        for _ in range(3_000):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.fchdir(before)
        os.close(before)
    assert RefScanner(str(repo / ".git")).scan().heads == {"refs/heads/main": oid}
    assert len(list(watched_directories(str(repo / ".git")))) > 1_000
    git(repo, "update-ref", "refs/heads/other", oid)  # git itself goes on, too
    _remove_deep(repo / ".git/refs/heads/d")


def _remove_deep(top: Path) -> None:
    """`shutil.rmtree` recurses, and the path is too long for `rm`."""
    while True:
        inner = top / "d"
        if not inner.exists():
            top.rmdir()
            return
        inner.rename(top.with_name("next"))
        top.rmdir()
        top.with_name("next").rename(top)


def test_no_more_is_read_than_the_bound(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 11)
    assert read_bounded(tmp_path / "f", 11) == b"x" * 11
    with pytest.raises(OSError, match="more than 10 bytes"):
        read_bounded(tmp_path / "f", 10)
