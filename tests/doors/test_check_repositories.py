"""`check`: which repositories a plan may name, and what helps where it may not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doors.checking import good, refused
from tests.doors.kit import Call
from tests.repositories import git, make_repo

pytestmark = pytest.mark.usefixtures("alone")


# ---- repositories ------------------------------------------------------------------------


def bare(at: Path) -> Path:
    git(at.parent, "clone", "-q", "--bare", str(make_repo(at.with_name("origin"))), str(at))
    return at


def empty(at: Path) -> Path:
    at.mkdir()
    git(at, "init", "-q", "-b", "main")
    return at


def plain(at: Path) -> Path:
    at.mkdir()
    return at


def file(at: Path) -> Path:
    at.write_text("x")
    return at


def file_in_repository(at: Path) -> Path:
    return make_repo(at) / "README"


def missing(at: Path) -> Path:
    return at


def too_long(at: Path) -> Path:
    return at.parent / ("x" * 300)


def somebody(_at: Path) -> Path:
    return Path("~nobody-has-this-name/repo")


def sha256(at: Path) -> Path:
    at.mkdir()
    git(at, "init", "-q", "-b", "main", "--object-format=sha256")
    return at


def with_config(text: str) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        make_repo(at)
        with (at / ".git/config").open("a") as config:
            config.write(text)
        return at

    return make


def without_objects(at: Path) -> Path:
    make_repo(at)
    shutil.rmtree(at / ".git/objects")
    (at / ".git/objects").mkdir()
    return at


def of_another_user(at: Path) -> Path:
    make_repo(at)
    for path in (at, *at.rglob("*")):
        os.chown(path, 12345, 12345)
    return at


REFTABLE = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n"
FUTURE = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tfuture = true\n"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, ["does not exist", "help: check the path"]),
        (too_long, ["cannot be read"]),
        (somebody, ["nobody of this name"]),
        (file, ["is not a directory"]),
        (file_in_repository, ["is not a directory", "help: name the repository's directory"]),
        (plain, ["not in a git repository", "help: run `git init` there"]),
        (bare, ["bare repository", "help: clone it"]),
        (empty, ["no commit yet", "help: make a first commit"]),
        (sha256, ["sha256", "help: use a repository in the sha1 format"]),
        (with_config(REFTABLE), ["reftable", "help: git refs migrate --ref-format=files"]),
        (with_config(FUTURE), ["extension found", "future", "help: install a newer git"]),
        (with_config('[remote "o"]\n\tpromisor = true\n'), ["partial clone", "help: make a full"]),
        (with_config("[broken"), ["cannot be read", "help:"]),
        (without_objects, ["cannot be read", "fsck"]),
        pytest.param(
            of_another_user,
            ["another user", "safe.directory"],
            marks=pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away"),
        ),
    ],
)
def test_a_repository_that_cannot_be_used_is_refused_with_what_helps(
    call: Call,
    plan: Callable[[str | bytes], str],
    tmp_path: Path,
    alone: Path,
    make: Callable[[Path], Path],
    words: list[str],
) -> None:
    file = plan(good(make(tmp_path / "it")))
    for command in ("check", "up"):
        refused(call(command, file), "repo", *words)
    assert not alone.exists()


def test_without_git_the_plan_is_refused(
    call: Call,
    plan: Callable[[str | bytes], str],
    repo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(call("check", plan(good(repo))), "repo", "no `git` program", "help: install git")


def test_a_shallow_clone_is_taken_and_said(
    call: Call, plan: Callable[[str | bytes], str], repo: Path, tmp_path: Path
) -> None:
    (repo / "two").touch()
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    code, out, _ = call("check", plan(good(tmp_path / "shallow")))
    assert code == 0
    assert "shallow" in out


def test_a_detached_head_is_taken_and_said(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    git(repo, "checkout", "-q", "--detach")
    code, out, _ = call("check", plan(good(repo)))
    assert code == 0
    assert "detached" in out


def test_a_dirty_checkout_of_the_target_is_taken_and_its_files_are_named(
    call: Call, plan: Callable[[str | bytes], str], repo: Path
) -> None:
    (repo / "README").write_text("changed")
    code, out, _ = call("check", plan(good(repo)))
    assert code == 0
    assert "README" in out
    git(repo, "checkout", "-q", "-b", "other")
    assert "README" not in call("check", plan(good(repo)))[1]


def test_a_linked_worktree_and_a_directory_inside_name_the_repository(
    call: Call, plan: Callable[[str | bytes], str], repo: Path, tmp_path: Path
) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    (repo / "sub").mkdir()
    (repo / "sub" / "file").touch()
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "sub")
    for place in (tmp_path / "linked", repo / "sub"):
        assert call("check", plan(good(place)))[0] == 0
