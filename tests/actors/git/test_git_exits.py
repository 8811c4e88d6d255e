"""How a git child may end: done, refused with a reason that git stated, or unknown."""

import os
import resource
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from actors.git.landing import checkout as checkout_module
from actors.git.landing.land import Behind, Landed, RefRefused, Stock, land, take_stock
from actors.git.reading.identity import CALLBOARD, can_commit, identity
from actors.git.running.command import GitRefused, GitUnknown, git
from actors.git.running.places import own_git_dir
from actors.git.users.repository import worktree_path
from tests.actors.git.git_repos import land_next
from tests.repositories import Repo

_DEATHS = {
    "killed": "kill -9 $$",
    "out of memory": "echo 'fatal: Out of memory, realloc failed' >&2; exit 128",
    "disk full": "echo 'fatal: unable to write new index file' >&2; exit 128",
    "no words": "exit 1",
}


class Shim:
    """A `git` on the path that dies, in one way, each time it is called with a word."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = place / "bin" / "git"
        self._real = shutil.which("git")
        self._path.parent.mkdir()
        self._path.write_text(f'#!/bin/sh\nexec {self._real} "$@"\n')
        self._path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{self._path.parent}:{os.environ['PATH']}")

    def die(self, word: str, how: str) -> None:
        script = f'case " $* " in *" {word} "*) {_DEATHS[how]};; esac'
        self._path.write_text(f'#!/bin/sh\n{script}\nexec {self._real} "$@"\n')

    def live(self) -> None:
        self._path.write_text(f'#!/bin/sh\nexec {self._real} "$@"\n')


@pytest.fixture
def shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shim:
    return Shim(tmp_path, monkeypatch)


@pytest.fixture
def ready(repo: Repo) -> Repo:
    repo.branch("next", {"a.txt": "a2\n", "new.txt": "n\n"})
    return repo


def test_of_many_words_the_first_and_the_last_are_told(repo: Repo) -> None:
    """Git may fail on each of thousands of files."""
    many = "alias.many=!echo first >&2; seq 100000 >&2; echo last >&2; exit 1"
    with pytest.raises(GitUnknown) as error:
        git("-c", many, "many", at=str(repo.path))
    words = error.value.stderr.split("\n")
    assert words[:3] == ["first", "1", "2"]
    assert words[-2:] == ["100000", "last"]
    assert len(str(error.value)) < 10_000
    (note,) = [line for line in words if "left out" in line]
    assert int("".join(filter(str.isdigit, note))) == 100_002 - (len(words) - 1)


def test_one_endless_line_is_cut(repo: Repo) -> None:
    many = "alias.many=!head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1"
    with pytest.raises(GitUnknown) as error:
        git("-c", many, "many", at=str(repo.path))
    assert len(str(error.value)) < 10_000
    assert "left out" in str(error.value)


@pytest.mark.parametrize("how", _DEATHS)
def test_only_a_reason_that_git_stated_is_a_refusal(repo: Repo, shim: Shim, how: str) -> None:
    """Hazard 62."""
    shim.die("read-tree", how)
    with pytest.raises(GitUnknown):
        git("read-tree", "HEAD", at=str(repo.path), refusals="would be overwritten")
    shim.live()
    with pytest.raises(GitRefused):
        git("rev-parse", "--verify", "no", at=str(repo.path), refusals="Needed a single revision")
    with pytest.raises(GitUnknown):
        git("rev-parse", "--verify", "no", at=str(repo.path))


@pytest.mark.parametrize("how", _DEATHS)
@pytest.mark.parametrize("word", ["read-tree", "diff-index", "checkout-index", "diff-files"])
def test_a_git_that_dies_after_the_target_moved_leaves_a_checkout_that_is_known_to_be_behind(
    ready: Repo, shim: Shim, monkeypatch: pytest.MonkeyPatch, word: str, how: str
) -> None:
    """Landed work was taken back by the user's next commit. Hazard 62."""
    old, new = ready.oid("main"), ready.oid("next")
    bring = checkout_module.Checkout.bring

    def doomed(*args: str) -> list[str]:
        shim.die(word, how)
        return bring(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(checkout_module.Checkout, "bring", doomed)
    with pytest.raises(GitUnknown):
        land_next(ready)
    shim.live()
    assert ready.oid("main") == new
    assert take_stock(ready.git_dir, "main", new) == Stock(True, (str(ready.path),))
    # The index is locked: nobody commits the old state by mistake.
    ready.write({"other.txt": "mine\n"})
    assert ready.git("commit", "-q", "-a", "-m", "mine", check=False) == ""
    assert ready.oid("main") == new
    monkeypatch.undo()
    assert isinstance(land(ready.git_dir, "main", old=old, new=new, message="x"), Landed)
    assert ready.git("status", "--porcelain") == "?? other.txt"


@pytest.mark.parametrize("how", _DEATHS)
def test_a_git_that_dies_before_the_target_moved_is_no_refusal(
    ready: Repo, shim: Shim, how: str
) -> None:
    old = ready.oid("main")
    for word in ("read-tree", "update-ref", "diff-index"):
        shim.die(word, how)
        with pytest.raises(GitUnknown):
            land_next(ready)
        shim.live()
        take_stock(ready.git_dir, "main", ready.oid("next"))
        assert ready.oid("main") == old
    assert isinstance(land_next(ready), Landed)


def test_a_hook_that_says_no_is_a_refusal(ready: Repo) -> None:
    hook = Path(ready.git_dir, "hooks", "reference-transaction")
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert isinstance(land_next(ready), RefRefused)


def died_after_the_ref(ready: Repo, shim: Shim, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target has moved, the checkout did not follow, and its index is locked by us."""
    real = checkout_module.Checkout.bring

    def doomed(*args: str) -> list[str]:
        shim.die("read-tree", "killed")
        return real(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(checkout_module.Checkout, "bring", doomed)
        with pytest.raises(GitUnknown):
            land_next(ready)
    shim.live()


def test_what_a_person_staged_after_the_lock_was_taken_away_is_kept_and_the_rest_follows(
    ready: Repo, shim: Shim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one stale entry stays in the index, or the next commit would take it back. Hazard 62."""
    old, new = ready.oid("main"), ready.oid("next")
    died_after_the_ref(ready, shim, monkeypatch)
    Path(ready.git_dir, "index.lock").unlink()
    ready.write({"a.txt": "mine\n"})
    ready.git("add", "a.txt")
    result = land(ready.git_dir, "main", old=old, new=new, message="x")
    assert result == Landed(new, (str(ready.path),), (str(ready.path / "a.txt"),))
    assert ready.git("diff", "--cached", "--name-only") == "a.txt"
    assert ready.git("show", ":a.txt") == "mine"
    assert ready.git("show", ":new.txt") == "n"
    assert (ready.path / "new.txt").read_text() == "n\n"
    assert not Path(ready.git_dir, "index.lock").exists()


def test_a_lock_of_someone_else_after_the_target_moved_is_no_landing(
    ready: Repo, shim: Shim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkout is behind: that is said, not `landed`. Hazard 62."""
    old, new = ready.oid("main"), ready.oid("next")
    died_after_the_ref(ready, shim, monkeypatch)
    lock = Path(ready.git_dir, "index.lock")
    lock.unlink()
    lock.write_text("theirs")
    result = land(ready.git_dir, "main", old=old, new=new, message="x")
    assert result == Behind(new, (str(ready.path),), str(lock))
    lock.unlink()
    assert isinstance(land(ready.git_dir, "main", old=old, new=new, message="x"), Landed)
    assert ready.git("status", "--porcelain") == ""


@pytest.mark.parametrize("how", _DEATHS)
def test_a_git_that_dies_has_not_said_that_there_is_no_identity(
    repo: Repo, shim: Shim, how: str
) -> None:
    """The merges were made in Callboard's name. Hazard 62."""
    assert identity(str(repo.path)).name == "A U Thor"
    shim.die("var", how)
    for ask in (identity, can_commit):
        with pytest.raises(GitUnknown):
            ask(str(repo.path))
    shim.live()
    repo.git("config", "--unset", "user.name")
    repo.git("config", "user.useConfigOnly", "true")
    assert identity(str(repo.path)) == CALLBOARD
    assert not can_commit(str(repo.path))
    repo.git("config", "user.name", "")
    assert identity(str(repo.path)) == CALLBOARD


def test_a_checkout_that_cannot_be_looked_at_is_not_taken_for_one_that_is_gone(
    ready: Repo, tmp_path: Path
) -> None:
    """With too many open files, the landing left a checkout of the target behind. Hazard 62."""
    ready.git("checkout", "-q", "--detach")
    ready.git("worktree", "add", "-q", tmp_path / "linked", "main")
    assert worktree_path(ready.git_dir, "linked") == str(tmp_path / "linked")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        held = []
        with suppress(OSError):
            while True:
                held.append(os.dup(0))
        with pytest.raises(OSError, match="Too many open files"):
            worktree_path(ready.git_dir, "linked")
        with pytest.raises(OSError, match="Too many open files"):
            own_git_dir(tmp_path / "linked")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in held:
            os.close(fd)
    assert isinstance(land_next(ready), Landed)
    assert (tmp_path / "linked" / "a.txt").read_text() == "a2\n"
