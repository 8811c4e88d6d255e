"""The files that all worktrees share: what counts as a change of them, and how they are put back.

Hazard 85.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.git.users import keeping, shared
from tests.repositories import Repo


class Shared:
    """A repository whose shared files were kept, and files of the user's outside of it."""

    def __init__(self, tmp_path: Path) -> None:
        self.repo = Repo.made(tmp_path / "repo")
        self.repo.commit("first")
        self.git = Path(self.repo.git_dir)
        self.write(self.git / "hooks/post-merge", "#!/bin/sh\n")
        self.write(self.git / "info/attributes", "*.x text\n")
        self.users = tmp_path / "users"
        self.write(self.users / "tool", "#!/bin/sh\n")
        (self.users / "large").write_bytes(b"x" * (shared.LIMIT + 1))
        self.place, self.aside = tmp_path / "place", tmp_path / "aside"
        self.before = self.all()
        digest = keeping.keep(str(self.git), str(self.repo.path), self.place)
        kept = keeping.load(self.place, digest)
        assert kept is not None
        self.kept = kept

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def all(self) -> dict[str, str]:
        """Return every file that this class wrote, and the configuration."""
        found = [self.users / "tool", self.users / "large", self.git / "config"]
        found += [self.git / "hooks/post-merge", self.git / "info/attributes"]
        return {str(path): path.read_text() for path in found}

    def changes(self) -> list[str]:
        now = shared.read(str(self.git))
        return [change.name for change in shared.changes(self.kept.files, now, "main")]

    def put_back(self) -> list[str]:
        return keeping.put_back(str(self.git), self.kept, "main", self.aside)


@pytest.fixture
def of(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def _away(path: Path) -> Path:
    path.rename(path.with_name("elsewhere"))
    return path


def _linked(name: str) -> Callable[[Shared], None]:
    return lambda of: _away(of.git / name).symlink_to(of.users)


def _many(of: Shared) -> None:
    for number in range(shared.COUNT + 1):
        (of.git / f"hooks/0{number:03}").touch()
    of.write(of.git / "hooks/pre-commit", "#!/bin/sh\nexit 1\n")


def _settings_elsewhere(of: Shared) -> None:
    of.write(of.users / "settings", "[user]\n\tname = U\n")
    _away(of.git / "config").symlink_to(of.users / "settings")


def _directory(of: Shared) -> None:
    _away(of.git / "info/attributes").mkdir()
    (of.git / "info/attributes/x").touch()


ATTACKS: dict[str, tuple[Callable[[Shared], None], list[str]]] = {
    "hooks are a link": (_linked("hooks"), ["hooks"]),
    "info is a link": (_linked("info"), ["info"]),
    "hooks are a file": (lambda of: _away(of.git / "hooks").touch(), ["hooks"]),
    "so many that one is not seen": (_many, ["hooks"]),
    "the configuration is a link": (_settings_elsewhere, ["config"]),
    "a directory in place of a file": (
        _directory,
        ["info/attributes", "info/attributes/x", "info/elsewhere"],
    ),
    "a name that is no text": (
        lambda of: Path(os.fsdecode(bytes(of.git) + b"/info/\xff")).touch(),
        [os.fsdecode(b"info/\xff")],
    ),
    "a directory in place of the configuration": (
        lambda of: _away(of.git / "config").mkdir(),
        ["config"],
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_lies_in_place_of_the_shared_files_is_told_and_put_back(of: Shared, name: str) -> None:
    """Nothing of the user's is changed, wherever a link points."""
    attack, expected = ATTACKS[name]
    before = shared.stamp(str(of.git))
    attack(of)
    users = {path: path.read_bytes() for path in of.users.iterdir()}
    assert of.changes() == expected
    assert keeping.keep(str(of.git), str(of.repo.path), of.place.with_name("later"))
    assert shared.stamp(str(of.git)) != before
    assert of.put_back() == expected
    assert of.changes() == []
    assert of.all() == of.before
    assert {path: path.read_bytes() for path in of.users.iterdir()} == users


def test_what_is_too_large_to_be_read_is_put_aside_and_not_lost(of: Shared) -> None:
    (of.git / "hooks/large").write_bytes(b"x" * (shared.LIMIT + 1))
    assert of.put_back() == ["hooks/large"]
    assert (of.aside / "hooks/large").stat().st_size == shared.LIMIT + 1
    (of.git / "hooks/large").write_bytes(b"y")
    (of.git / "hooks/large").chmod(0o755)
    of.put_back()
    assert (of.aside / "hooks/large.1").read_bytes() == b"y"


def test_a_link_of_the_user_s_own_is_no_change(tmp_path: Path) -> None:
    repo = Repo.made(tmp_path / "repo")
    git = Path(repo.git_dir)
    (tmp_path / "team").mkdir()
    _away(git / "hooks").symlink_to(tmp_path / "team")
    digest = keeping.keep(str(git), str(repo.path), tmp_path / "place")
    kept = keeping.load(tmp_path / "place", digest)
    assert kept is not None
    assert not shared.changes(kept.files, shared.read(str(git)), "main")
    (git / "hooks").unlink()
    (git / "hooks").mkdir()
    assert keeping.put_back(str(git), kept, "main", tmp_path / "aside") == ["hooks"]
    assert (git / "hooks").readlink() == tmp_path / "team"


def test_history_that_is_cut_is_told_and_more_history_is_not(of: Shared) -> None:
    oid = of.repo.oid("HEAD")
    (of.git / "shallow").write_text(f"{oid}\n")
    assert of.changes() == ["shallow"]
    of.put_back()
    assert not (of.git / "shallow").exists()
    before = {"shallow": shared.File(f"{oid}\n{'1' * 40}\n".encode())}
    less = {"shallow": shared.File(f"{oid}\n".encode())}
    assert not shared.changes(before, less, "main")
    assert not shared.changes(before, {}, "main")
