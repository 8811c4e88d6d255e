"""What a power cut tears is made again when a worktree is used again, and nothing else is."""

from pathlib import Path

import pytest

from actors.git.trees.worktrees import Worktree, add
from tests.repositories import Repo


@pytest.fixture
def spot(home: Path) -> Path:
    return home / "worktrees" / "demo" / "login"


def again(repo: Repo, home: Path, spot: Path) -> Worktree:
    base = repo.oid("main")
    return add(repo.git_dir, str(home), str(spot), branch="feat/login", base=base, owner="demo")


def tear(file: Path, data: bytes = b"") -> None:
    file.chmod(0o644)
    file.write_bytes(data)


def loose(repo: Repo, oid: str) -> Path:
    return Path(repo.git_dir, "objects", oid[:2], oid[2:])


@pytest.mark.parametrize("data", [b"", b"\0" * 300])
@pytest.mark.parametrize("name", ["HEAD", "index"])
def test_a_torn_file_of_a_worktree_is_written_again(
    repo: Repo, home: Path, spot: Path, name: str, data: bytes
) -> None:
    made = again(repo, home, spot)
    repo.write({"begun": "1\n"}, at=spot)
    tear(Path(repo.git_dir, "worktrees", made.name, name), data)
    again(repo, home, spot)
    assert repo.git("symbolic-ref", "HEAD", at=spot) == "refs/heads/feat/login"
    assert repo.git("status", "--porcelain", at=spot) == "?? begun"
    repo.commit("work #done", {"more": "2\n"}, at=spot)


def test_a_torn_object_keeps_nobody_from_committing_the_same_again(
    repo: Repo, home: Path, spot: Path
) -> None:
    """Hazard 63."""
    again(repo, home, spot)
    repo.write({"begun": "1\n"}, at=spot)
    repo.git("add", "begun", at=spot)
    blob = loose(repo, repo.git("hash-object", "begun", at=spot))
    tear(blob)
    again(repo, home, spot)
    assert not blob.exists()
    repo.git("add", "begun", at=spot)
    repo.git("commit", "-q", "-m", "work #done", at=spot)
    repo.git("fsck", "--no-dangling", at=spot)


def test_a_branch_whose_tip_was_torn_goes_back_to_what_is_there(
    repo: Repo, home: Path, spot: Path
) -> None:
    """Hazard 63."""
    again(repo, home, spot)
    told = repo.commit("told", {"one": "1\n"}, at=spot)
    lost = repo.commit("lost", {"two": "2\n"}, at=spot)
    tear(loose(repo, lost))
    assert again(repo, home, spot).tip == told
    assert repo.git("log", "-1", "--format=%s", at=spot) == "told"
    assert (spot / "two").read_text() == "2\n"
    repo.commit("work #done", {"three": "3\n"}, at=spot)


def test_a_torn_branch_has_its_packed_value(repo: Repo, home: Path, spot: Path) -> None:
    again(repo, home, spot)
    told = repo.commit("told", {"one": "1\n"}, at=spot)
    repo.git("pack-refs", "--all")
    repo.commit("lost", {"two": "2\n"}, at=spot)
    tear(Path(repo.git_dir, "refs/heads/feat/login"))
    assert again(repo, home, spot).tip == told


def test_what_is_wrong_in_another_way_is_left_alone(repo: Repo, home: Path, spot: Path) -> None:
    made = again(repo, home, spot)
    other = repo.oid("main")
    repo.git("checkout", "-q", "--detach", at=spot)
    index = Path(repo.git_dir, "worktrees", made.name, "index")
    index.write_bytes(b"DIRC but not an index")
    again(repo, home, spot)
    assert repo.git("rev-parse", "HEAD", at=spot) == other
    assert index.read_bytes() == b"DIRC but not an index"
