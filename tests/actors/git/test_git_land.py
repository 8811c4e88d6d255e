import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.git.landing import land as land_module
from actors.git.landing.checkout import Checkout
from actors.git.landing.hold import Intent
from actors.git.landing.land import (
    FilesInTheWay,
    Landed,
    NotForward,
    RefRefused,
    TargetLocked,
    TargetMoved,
    land,
    take_stock,
)
from tests.actors.git.git_repos import killed_at, land_next
from tests.repositories import Repo

NEW_FILES = {
    "a.txt": "a2\n",
    "new/deep/n.txt": "n\n",
    "becomes/dir": "d\n",
    "flat": "f\n",
    "dir/d.txt": "d\n",
}


@pytest.fixture
def ready(repo: Repo) -> Repo:
    """`next` is what shall land on `main`: changed, added, deleted, file to directory and back."""
    repo.commit("Second", {"becomes": "file\n", "flat/x.txt": "x\n", "keep.txt": "k\n"})
    side = repo.path.parent / "side"
    repo.git("worktree", "add", "-q", "-b", "next", side)
    repo.git("rm", "-q", "-r", "b.txt", "becomes", "flat", at=side)
    repo.write(NEW_FILES, at=side)
    (side / "link").symlink_to("a.txt")
    (side / "run.sh").write_text("#!/bin/sh\n")
    (side / "run.sh").chmod(0o755)
    repo.commit("Next", at=side)
    repo.git("worktree", "remove", side)
    return repo


def is_landed(repo: Repo) -> None:
    assert repo.oid("main") == repo.oid("next")
    assert repo.git("status", "--porcelain") == ""
    assert (repo.path / "a.txt").read_text() == "a2\n"
    assert (repo.path / "becomes/dir").is_file()
    assert (repo.path / "flat").is_file()
    assert (repo.path / "link").is_symlink()
    assert os.access(repo.path / "run.sh", os.X_OK)
    assert not (repo.path / "b.txt").exists()
    left = {path.name for path in Path(repo.git_dir).iterdir()}
    assert not {name for name in left if "callboard-land" in name or name.endswith(".lock")}


def is_untouched(repo: Repo, old: str, before: str) -> None:
    assert repo.oid("main") == old
    assert repo.git("status", "--porcelain", "-uall") == before
    assert not Path(repo.git_dir, "index.lock").exists()


def test_a_landing_moves_the_target_and_its_checkout(ready: Repo) -> None:
    result = land_next(ready)
    assert result == Landed(ready.oid("next"), (str(ready.path),), ())
    is_landed(ready)
    assert "callboard: landed demo" in ready.git("reflog", "main")
    assert "callboard: landed demo" in ready.git("reflog", "HEAD")


def test_landing_again_changes_nothing(ready: Repo) -> None:
    old, new = ready.oid("main"), ready.oid("next")
    for _ in range(2):
        assert isinstance(land(ready.git_dir, "main", old=old, new=new, message="x"), Landed)
    is_landed(ready)


def test_a_target_that_nobody_has_checked_out(ready: Repo) -> None:
    ready.git("checkout", "-q", "--detach")
    assert land_next(ready) == Landed(ready.oid("next"), (), ())
    assert (ready.path / "b.txt").exists()


def test_a_target_checked_out_in_a_linked_worktree(ready: Repo, tmp_path: Path) -> None:
    ready.git("checkout", "-q", "--detach")
    linked = tmp_path / "linked"
    ready.git("worktree", "add", "-q", linked, "main")
    assert land_next(ready) == Landed(ready.oid("next"), (str(linked),), ())
    assert ready.git("status", "--porcelain", at=linked) == ""
    assert (linked / "a.txt").read_text() == "a2\n"


def test_a_target_that_moved_is_not_overwritten(ready: Repo) -> None:
    old, new = ready.oid("main"), ready.oid("next")
    actual = ready.commit("Someone else's", {"z": "z\n"})
    result = land(ready.git_dir, "main", old=old, new=new, message="x")
    assert result == TargetMoved(actual)
    is_untouched(ready, actual, "")
    ready.git("checkout", "-q", "--detach")
    ready.git("branch", "-D", "main")
    assert land(ready.git_dir, "main", old=old, new=new, message="x") == TargetMoved(None)


def test_hazard_49_a_target_that_moves_in_the_last_instant_is_not_overwritten(
    ready: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody commits after all was looked at, just before git moves the ref. Hazard 49."""
    old, new = ready.oid("main"), ready.oid("next")
    theirs = ready.git("commit-tree", "main^{tree}", "-p", "main", "-m", "Theirs")
    real, shim = shutil.which("git"), tmp_path / "bin" / "git"
    shim.parent.mkdir()
    moves = f"{real} -C {ready.path} update-ref refs/heads/main {theirs}"
    shim.write_text(f'#!/bin/sh\ncase "$*" in *update-ref*) {moves};; esac\nexec {real} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    result = land(ready.git_dir, "main", old=old, new=new, message="x")
    monkeypatch.undo()
    assert result == TargetMoved(theirs)
    is_untouched(ready, theirs, "")


def test_a_commit_that_does_not_descend_is_refused(ready: Repo) -> None:
    other = ready.branch("other", {"z": "z\n"}, start="main~1")
    old = ready.oid("main")
    assert land(ready.git_dir, "main", old=old, new=other, message="x") == NotForward(old, other)


def overwrite(repo: Repo) -> None:
    repo.write({"a.txt": "mine\n"})


def stage(repo: Repo) -> None:
    overwrite(repo)
    repo.git("add", "a.txt")


def stage_and_restore(repo: Repo) -> None:
    stage(repo)
    repo.write({"a.txt": "a\n"})


def change_what_is_deleted(repo: Repo) -> None:
    repo.write({"b.txt": "mine\n"})


def delete_what_is_changed(repo: Repo) -> None:
    (repo.path / "a.txt").unlink()


def untracked(repo: Repo) -> None:
    repo.write({"new/deep/n.txt": "mine\n"})


def ignored(repo: Repo) -> None:
    Path(repo.git_dir, "info/exclude").write_text("new/\n")
    untracked(repo)


def untracked_file_for_directory(repo: Repo) -> None:
    repo.write({"new": "mine\n"})


def link_for_directory(repo: Repo) -> None:
    (repo.path / "new").symlink_to("dir")


def untracked_in_directory_that_becomes_file(repo: Repo) -> None:
    repo.write({"flat/mine.txt": "mine\n"})


def assume_unchanged(repo: Repo) -> None:
    repo.git("update-index", "--assume-unchanged", "a.txt")
    overwrite(repo)


def mid_merge(repo: Repo) -> None:
    repo.branch("clash", {"keep.txt": "theirs\n"})
    repo.commit("Ours", {"keep.txt": "ours\n"})
    repo.git("checkout", "-q", "next")
    repo.git("merge", "-q", "--no-edit", "main")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "clash", check=False)


@pytest.mark.parametrize(
    ("change", "files"),
    [
        (overwrite, ("a.txt",)),
        (stage, ("a.txt",)),
        (stage_and_restore, ("a.txt",)),
        (change_what_is_deleted, ("b.txt",)),
        (delete_what_is_changed, ("a.txt",)),
        (untracked, ("new/deep/n.txt",)),
        (ignored, ("new/deep/n.txt",)),
        (untracked_file_for_directory, ("new",)),
        (link_for_directory, ("new",)),
        (untracked_in_directory_that_becomes_file, ("flat/mine.txt",)),
        (assume_unchanged, ("a.txt",)),
        (mid_merge, ("keep.txt",)),
    ],
)
def test_changed_files_in_the_way_are_named_and_nothing_is_touched(
    ready: Repo, change: Callable[[Repo], None], files: tuple[str, ...]
) -> None:
    change(ready)
    old, before = ready.oid("main"), ready.git("status", "--porcelain", "-uall")
    assert land_next(ready) == FilesInTheWay(str(ready.path), files)
    is_untouched(ready, old, before)


def test_changes_that_are_not_in_the_way_stay_as_they_are(ready: Repo) -> None:
    ready.write({"keep.txt": "mine\n", "dir/c.txt": "staged\n", "own.txt": "own\n"})
    ready.git("add", "dir/c.txt")
    ready.write({"dir/c.txt": "staged, then more\n"})
    before = ready.git("status", "--porcelain", "-uall")
    staged = ready.git("diff", "--cached", "--", "dir/c.txt")
    assert isinstance(land_next(ready), Landed)
    assert ready.git("status", "--porcelain", "-uall") == before
    assert ready.git("diff", "--cached", "--", "dir/c.txt") == staged
    assert (ready.path / "keep.txt").read_text() == "mine\n"


def test_the_same_content_is_not_in_the_way(ready: Repo) -> None:
    ready.write({"new/deep/n.txt": "n\n", "a.txt": "a2\n"})
    ready.git("add", "a.txt")
    assert isinstance(land_next(ready), Landed)
    is_landed(ready)


def test_a_lock_of_someone_else_is_respected(ready: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(land_module, "LOCK_WAIT", 0.05)
    lock = Path(ready.git_dir, "index.lock")
    lock.write_text("")
    old = ready.oid("main")
    assert land_next(ready) == TargetLocked(str(lock))
    assert lock.exists()
    lock.unlink()
    is_untouched(ready, old, "")
    lock = Path(ready.git_dir, "refs/heads/main.lock")
    lock.write_text("")
    assert isinstance(land_next(ready), TargetLocked)
    lock.unlink()
    is_untouched(ready, old, "")
    assert isinstance(land_next(ready), Landed)


def test_a_rebase_of_the_target_in_progress_is_respected(ready: Repo) -> None:
    ready.branch("other", {"keep.txt": "other\n"})
    ready.commit("Ours", {"keep.txt": "ours\n"})
    ready.git("rebase", "other", check=False)
    tip = ready.oid("main")
    tree = ready.oid("next^{tree}")
    new = ready.git("commit-tree", tree, "-p", "main", "-m", "x")
    result = land(ready.git_dir, "main", old=tip, new=new, message="x")
    assert result == TargetLocked(f"a rebase of main in {ready.path}")


def hook(repo: Repo, name: str, script: str) -> None:
    path = Path(repo.git_dir, "hooks", name)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_hook_may_refuse_the_update(ready: Repo) -> None:
    hook(ready, "reference-transaction", 'test "$1" != prepared || { echo no >&2; exit 1; }')
    old = ready.oid("main")
    result = land_next(ready)
    assert isinstance(result, RefRefused)
    assert "no" in result.output
    is_untouched(ready, old, "")


def test_hooks_for_commits_do_not_run(ready: Repo) -> None:
    for name in ("pre-commit", "post-checkout", "post-merge", "pre-merge-commit", "pre-receive"):
        hook(ready, name, "exit 1")
    assert isinstance(land_next(ready), Landed)
    is_landed(ready)


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.long)])
def test_hazard_49_kill_anywhere_leaves_the_old_target_or_completes_the_new(
    ready: Repo, stride: int, tmp_path: Path
) -> None:
    """Hazard 49."""
    old, new = ready.oid("main"), ready.oid("next")
    ready.write({"keep.txt": "mine\n", "own.txt": "own\n"})
    mine = ready.git("status", "--porcelain", "-uall")
    pristine = tmp_path / "pristine"
    shutil.copytree(ready.path, pristine, symlinks=True)
    step = 1 - stride
    moved = 0
    killed = True
    while killed:
        step += stride
        shutil.rmtree(ready.path)
        shutil.copytree(pristine, ready.path, symlinks=True)
        ready.git("update-index", "-q", "--refresh", check=False)
        killed = killed_at(step, lambda: land(ready.git_dir, "main", old=old, new=new, message="x"))
        if ready.oid("main") == old:
            assert (ready.path / "a.txt").read_text() == "a\n"
            assert (ready.path / "b.txt").exists()
            assert ready.git("status", "--porcelain", "-uall") == mine
        else:
            moved += 1
            assert ready.oid("main") == new
        landed = land(ready.git_dir, "main", old=old, new=new, message="x")
        assert isinstance(landed, Landed), (step, landed)
        assert landed.kept == ()
        assert ready.git("status", "--porcelain", "-uall") == mine, step
        assert (ready.path / "keep.txt").read_text() == "mine\n"
        ready.git("checkout", "-q", "keep.txt")
        (ready.path / "own.txt").unlink()
        is_landed(ready)
    assert step > 40
    assert moved > 10 // stride


def test_a_change_after_the_crash_is_not_overwritten(ready: Repo) -> None:
    old, new = ready.oid("main"), ready.oid("next")
    step = 0
    while ready.oid("main") == old:
        step += 1
        killed_at(step, lambda: land(ready.git_dir, "main", old=old, new=new, message="x"))
        if ready.oid("main") == old:
            take_stock(ready.git_dir, "main", new)
            is_untouched(ready, old, "")
    ready.write({"a.txt": "edited after the crash\n", "new/deep/n.txt": "mine\n"})
    result = land(ready.git_dir, "main", old=old, new=new, message="x")
    assert isinstance(result, Landed)
    assert set(result.kept) == {str(ready.path / name) for name in ("a.txt", "new/deep/n.txt")}
    assert (ready.path / "a.txt").read_text() == "edited after the crash\n"
    assert ready.git("diff", "--name-only") == "a.txt\nnew/deep/n.txt"
    assert ready.git("diff", "--cached", "--name-only") == ""


def test_a_lock_that_a_killed_git_of_ours_left_is_removed(
    ready: Repo,
) -> None:
    """The power went while git moved the ref: the intent shows that the lock is ours."""
    spot = Checkout(str(ready.path))
    spot.hold.take(Intent("main", ready.oid("main"), ready.oid("next")))
    for name in ("refs/heads/main.lock", "HEAD.lock"):
        Path(ready.git_dir, name).touch()
    assert isinstance(land_next(ready), Landed)
    is_landed(ready)
