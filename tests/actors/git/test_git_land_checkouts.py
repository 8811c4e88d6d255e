"""Landing into checkouts that are not like the others."""

import subprocess
from pathlib import Path

import pytest

from actors.git.landing.land import (
    FilesInTheWay,
    Landed,
    Landing,
    land,
)
from tests.actors.git.git_repos import land_next
from tests.repositories import Repo


def test_a_sparse_checkout_stays_sparse(repo: Repo) -> None:
    repo.git("sparse-checkout", "set", "--no-cone", "/*", "!/dir/")
    assert not (repo.path / "dir").exists()
    repo.git("sparse-checkout", "list")
    repo.branch("next", {"dir/c.txt": "c2\n", "a.txt": "a2\n"})
    assert isinstance(land_next(repo), Landed)
    assert not (repo.path / "dir/c.txt").exists()
    assert (repo.path / "a.txt").read_text() == "a2\n"
    assert repo.git("status", "--porcelain") == ""


def test_line_ends_are_converted_as_git_does(repo: Repo) -> None:
    repo.commit("Attributes", {".gitattributes": "*.txt text eol=crlf\n"})
    repo.branch("next", {"a.txt": "1\n2\n", "n.txt": "1\n"})
    assert isinstance(land_next(repo), Landed)
    assert (repo.path / "a.txt").read_bytes() == b"1\r\n2\r\n"
    assert (repo.path / "n.txt").read_bytes() == b"1\r\n"
    assert repo.git("status", "--porcelain") == ""


def test_a_submodule_moves_in_the_index_only(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", ".", tmp_path / "lib")
    options = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    repo.git(*options, str(tmp_path / "lib"), "lib")
    repo.commit("Add lib")
    inner = repo.oid("HEAD", at=repo.path / "lib")
    lib = Repo(tmp_path / "lib")
    lib.git("config", "user.name", "A")
    lib.git("config", "user.email", "a@b")
    newer = lib.commit("Newer")
    repo.git("branch", "next")
    tree = repo.git("ls-tree", "main").replace(inner, newer)
    made = subprocess.run(
        ["git", "-C", repo.path, "mktree", "--missing"],
        input=tree.encode() + b"\n",
        capture_output=True,
        check=True,
    )
    commit = repo.git("commit-tree", made.stdout.decode().strip(), "-p", "main", "-m", "Move lib")
    repo.git("update-ref", "refs/heads/next", commit)
    assert isinstance(land_next(repo), Landed)
    assert repo.oid("HEAD", at=repo.path / "lib") == inner
    assert repo.git("status", "--porcelain") == "M lib"


def test_strange_file_names(repo: Repo) -> None:
    names = ["new line\n.txt", 'quote".txt', " lead", "ü.txt", "*.txt", "-x", "tab\t.txt"]
    repo.branch("next", {name: name for name in names})
    assert isinstance(land_next(repo), Landed)
    assert repo.git("status", "--porcelain") == ""
    assert all((repo.path / name).read_text() == name for name in names)


def test_line_ends_that_git_would_rewrite_are_not_in_the_way(repo: Repo) -> None:
    """`text` came after a file with CRLF: git calls it modified, and nobody has touched it."""
    repo.commit("CRLF", {"dos.txt": "one\r\ntwo\r\n"})
    repo.write({".gitattributes": "*.txt text eol=crlf\n"})
    repo.git("add", ".gitattributes")
    repo.git("commit", "-q", "-m", "Rewrite line ends")
    repo.branch("next", {"dos.txt": "one\r\nthree\r\n"})
    file = repo.path / "dos.txt"
    file.write_bytes(b"one\r\ntwo\r\n")
    assert "dos.txt" in repo.git("status", "--porcelain")
    assert isinstance(land_next(repo), Landed)
    assert file.read_bytes() == b"one\r\nthree\r\n"


def test_a_change_beside_line_ends_that_git_would_rewrite_is_in_the_way(repo: Repo) -> None:
    repo.commit("CRLF", {"dos.txt": "one\r\ntwo\r\n"})
    repo.write({".gitattributes": "*.txt text eol=crlf\n"})
    repo.git("add", ".gitattributes")
    repo.git("commit", "-q", "-m", "Rewrite line ends")
    repo.branch("next", {"dos.txt": "one\r\nthree\r\n"})
    repo.write({"dos.txt": "mine\r\ntwo\r\n"})
    found = land_next(repo)
    assert isinstance(found, FilesInTheWay)
    assert found.files == ("dos.txt",)
    assert (repo.path / "dos.txt").read_bytes() == b"mine\r\ntwo\r\n"


@pytest.mark.parametrize("planted", ["no index", "HEAD", "gitdir", "no .git"])
def test_a_worktree_that_an_agent_registered_is_landed_around_or_named(
    repo: Repo, tmp_path: Path, planted: str
) -> None:
    """Hazard 75. Whatever is registered, the user's checkout follows or nothing lands."""
    old, new = repo.oid("main"), repo.branch("next", {"a.txt": "a2\n"})
    admin, place = Path(repo.git_dir, "worktrees", "evil"), tmp_path / "evil"
    admin.mkdir(parents=True)
    place.mkdir()
    (admin / "gitdir").write_text(f"{place}/.git\n")
    (admin / "commondir").write_text("../..\n")
    (admin / "HEAD").write_text("ref: refs/heads/main\n")
    (place / ".git").write_text(f"gitdir: {admin}\n")
    if planted in ("HEAD", "gitdir"):
        (admin / planted).unlink()
        (admin / planted).symlink_to(planted)
    elif planted == "no .git":
        (place / ".git").unlink()

    def attempt() -> Landing:
        repository, checkout = repo.git_dir, str(repo.path)
        return land(repository, "main", old=old, new=new, message="x", repo=checkout)

    found = attempt()
    if planted == "no index":
        assert found == FilesInTheWay(str(place), ("a.txt",))
        assert repo.oid("main") == old
        (place / ".git").unlink()
        found = attempt()
    assert found == Landed(new, (str(repo.path),), ())
    assert (repo.path / "a.txt").read_text() == "a2\n"
    assert repo.git("status", "--porcelain") == ""
