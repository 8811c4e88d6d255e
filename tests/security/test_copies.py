"""F14: `copy` takes files of the checkout only, and writes into the worktree only."""

from pathlib import Path

import pytest

from actors.git.trees.copies import copy_into, to_copy


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / ".git" / "config").write_text("secret")
    (tmp_path / "outside").write_text("secret")
    return tmp_path / "repo"


def test_a_link_that_leaves_the_checkout_is_not_copied(repo: Path, tmp_path: Path) -> None:
    (repo / ".env").write_text("mine")
    (repo / ".env.link").symlink_to(tmp_path / "outside")
    (repo / ".env.git").symlink_to(repo / ".git" / "config")
    (repo / ".env.own").symlink_to(".env")
    assert to_copy(repo, [".env*"]) == [Path(".env"), Path(".env.own")]


@pytest.mark.parametrize("at", ["conf", "conf/.env"])
def test_a_tracked_link_in_the_worktree_is_not_written_through(
    repo: Path, tmp_path: Path, at: str
) -> None:
    (repo / "conf").mkdir()
    (repo / "conf" / ".env").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "worktree" / at
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere if at == "conf" else elsewhere / ".env")
    if at == "conf":
        with pytest.raises(OSError, match="leads out of the worktree"):
            copy_into(repo, tmp_path / "worktree", Path("conf/.env"))
    else:
        copy_into(repo, tmp_path / "worktree", Path("conf/.env"))
    assert list(elsewhere.iterdir()) == []


def test_a_file_is_copied_with_its_mode(repo: Path, tmp_path: Path) -> None:
    (repo / "a").mkdir()
    (repo / "a" / "key").write_text("mine")
    (repo / "a" / "key").chmod(0o640)
    copy_into(repo, tmp_path / "worktree", Path("a/key"))
    made = tmp_path / "worktree" / "a" / "key"
    assert (made.read_text(), made.stat().st_mode & 0o777) == ("mine", 0o640)
