"""A hook or a filter that hangs: it is ended with all it started, and git says what it was at."""

import sys
import time
from pathlib import Path

import pytest

from actors.git.landing.land import Landed, RefRefused, Stock, land, take_stock
from actors.git.running import command
from actors.git.running.command import GitLate, GitUnknown, git
from actors.git.running.places import Within
from actors.platform import openings, sandbox
from tests.actors.git.git_repos import land_next
from tests.repositories import Repo


@pytest.fixture
def ready(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setattr(command, "HOOK_SECONDS", 1.0)
    repo.branch("next", {"a.txt": "a2\n"})
    return repo


def hook(repo: Repo, state: str) -> Path:
    """A hook that hangs in one state of the ref's transaction, and where it says who it is."""
    path, pid = repo.path / ".git/hooks/reference-transaction", repo.path.parent / "pid"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\n[ "$1" != {state} ] || {{ echo $$ > {pid}; sleep 300; }}\n')
    path.chmod(0o755)
    return pid


def gone(pid: Path) -> bool:
    """Nobody is left in the hook's process group, or is only to be waited for."""
    number = int(pid.read_text())
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_hook_that_hangs_before_the_ref_moves_refuses_and_leaves_no_lock(ready: Repo) -> None:
    old, pid = ready.oid("main"), hook(ready, "prepared")
    refused = land_next(ready)
    assert isinstance(refused, RefRefused)
    assert "longer than 1 s" in refused.output
    assert gone(pid)
    assert ready.oid("main") == old
    assert not list((ready.path / ".git").rglob("*.lock"))
    (ready.path / ".git/hooks/reference-transaction").unlink()
    assert isinstance(land_next(ready), Landed)


def test_a_hook_that_hangs_after_the_ref_moved_changes_nothing_about_the_landing(
    ready: Repo,
) -> None:
    pid, new = hook(ready, "committed"), ready.oid("next")
    landed = land_next(ready)
    assert isinstance(landed, Landed)
    assert gone(pid)
    assert ready.oid("main") == new
    assert (ready.path / "a.txt").read_text() == "a2\n"
    assert ready.git("status", "--porcelain") == ""


def test_git_that_hangs_is_ended_with_its_helper(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "GIT_SECONDS", 0.5)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(GitLate, match=r"longer than 0\.5 s"):
        git("-c", "alias.hang=!sleep 300", "hang", at=str(repo.path))
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("filters", ["smudge", "clean"])
def test_a_filter_that_hangs_after_the_ref_moved_changes_no_file_and_ends_when_it_is_mended(
    ready: Repo, monkeypatch: pytest.MonkeyPatch, filters: str
) -> None:
    monkeypatch.setattr(command, "GIT_SECONDS", 1.0)
    old, new = ready.oid("main"), ready.oid("next")
    ready.write({"mine.txt": "mine\n"})
    (ready.path / ".git/info/attributes").write_text("a.txt filter=own\n")
    hang = f"[ $(git rev-parse main) = {old} ] || sleep 99; cat"
    ready.git("config", f"filter.own.{filters}", hang)
    (ready.path / "a.txt").touch()  # so that git looks at it
    with pytest.raises(GitLate):
        land_next(ready)
    assert ready.oid("main") == new
    assert (ready.path / "a.txt").read_text() == "a\n"
    stock = take_stock(ready.git_dir, "main", new)
    assert stock == Stock(True, (str(ready.path),))
    monkeypatch.setattr(command, "GIT_SECONDS", 60.0)
    ready.git("config", f"filter.own.{filters}", "cat")
    ready.git("commit", "-q", "-m", "the old state", check=False)
    assert ready.oid("main") == new
    landed = land(ready.git_dir, "main", old=old, new=new, message="again")
    assert isinstance(landed, Landed)
    assert (ready.path / "a.txt").read_text() == "a2\n"
    assert ready.git("status", "--porcelain") == "?? mine.txt"


def test_what_could_not_be_landed_at_all_is_free_again(
    ready: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "GIT_SECONDS", 1.0)
    (ready.path / ".git/info/attributes").write_text("a.txt filter=own\n")
    ready.git("config", "filter.own.clean", "sleep 99; cat")
    (ready.path / "a.txt").touch()
    with pytest.raises(GitLate):
        land_next(ready)
    monkeypatch.setattr(command, "GIT_SECONDS", 60.0)
    assert take_stock(ready.git_dir, "main", ready.oid("next")) == Stock(False, ())
    ready.git("config", "filter.own.clean", "cat")
    ready.write({"a.txt": "a\n"})
    assert ready.git("status", "--porcelain") == ""
    assert not (ready.path / ".git/index.lock").exists()
    assert isinstance(land_next(ready), Landed)


@pytest.mark.parametrize("is_fenced", [False, True])
def test_git_that_takes_all_memory_is_ended_and_what_it_did_is_unknown(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, is_fenced: bool
) -> None:
    """Hazard 104."""
    if is_fenced and (trouble := sandbox.trouble()):
        pytest.skip(trouble)
    if sys.platform != "linux":
        pytest.skip("other systems limit no process from outside")
    monkeypatch.setattr(command, "MEMORY", 64 << 20)
    monkeypatch.setattr(command, "GIT_SECONDS", 60.0)
    blob = repo.git("rev-parse", "HEAD:a.txt")
    lines = "".join(f"100644 blob {blob}\tf{n}\n" for n in range(10))
    for _ in range(10):
        tree = git("mktree", at=str(repo.path), stdin=lines.encode()).decode().strip()
        lines = "".join(f"040000 tree {tree}\td{n}\n" for n in range(10))
    worktree = str(repo.path.with_name("worktree"))
    repo.git("worktree", "add", "-q", "-b", "much", worktree)
    repo.git(
        "update-ref", "refs/heads/much", repo.git("commit-tree", tree, "-p", "HEAD", "-m", "x")
    )
    fence = openings.Limits(cwd=worktree, writable=(repo.git_dir,)) if is_fenced else None
    within = Within(repo.git_dir, fence)
    with pytest.raises(GitUnknown) as failed:
        git("status", "--porcelain=v2", "--untracked-files=no", at=worktree, within=within)
    assert not isinstance(failed.value, GitLate)
    assert "memory" in str(failed.value)


def test_a_large_file_of_a_filter_is_checked_out_however_little_memory_a_look_may_take(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git holds all that a filter gives out. Hazard 104."""
    monkeypatch.setattr(command, "MEMORY", 32 << 20)
    repo.commit("large", {".gitattributes": "large filter=much\n", "large": "1\n"})
    repo.git("config", "filter.much.smudge", "head -c 40000000 /dev/zero")
    worktree = repo.path.with_name("worktree")
    git("worktree", "add", "-q", "--detach", str(worktree), at=str(repo.path))
    assert (worktree / "large").stat().st_size == 40_000_000
