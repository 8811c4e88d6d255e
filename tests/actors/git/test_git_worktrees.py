import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actors.git.running.errors import RepositoryError, Rule
from actors.git.trees import worktrees
from actors.git.trees.pins import pin
from actors.git.trees.worktrees import Removed, Worktree, add, remove
from tests.actors.git.git_repos import killed_at
from tests.repositories import Repo


@pytest.fixture
def spot(home: Path) -> Path:
    return home / "worktrees" / "demo" / "login"


def make(repo: Repo, home: Path, spot: Path, owner: str = "demo") -> Worktree:
    base = repo.oid("main")
    return add(repo.git_dir, str(home), str(spot), branch="feat/login", base=base, owner=owner)


def take(repo: Repo, home: Path, spot: Path) -> Removed:
    return remove(
        repo.git_dir, str(home), str(spot), merged_into=repo.oid("main"), pin_as="demo/login"
    )


def refusal(error: pytest.ExceptionInfo[RepositoryError]) -> Rule:
    return error.value.rule


def test_add_makes_branch_and_worktree_and_repeats_without_change(
    repo: Repo, home: Path, spot: Path
) -> None:
    made = make(repo, home, spot)
    assert made.base == made.tip == repo.oid("main")
    assert repo.git("symbolic-ref", "HEAD", at=spot) == "refs/heads/feat/login"
    tip = repo.commit("Work", {"x": "1\n"}, at=spot)
    repo.write({"unsaved": "1\n"}, at=spot)
    again = make(repo, home, spot)
    assert again.name == made.name
    assert again.tip == tip
    assert (spot / "unsaved").exists()


def test_add_uses_neither_hooks_nor_upstream(repo: Repo, home: Path, spot: Path) -> None:
    hook = repo.path / ".git/hooks/post-checkout"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    make(repo, home, spot)
    assert repo.git("config", "--get", "branch.feat/login.merge", check=False) == ""


def test_many_are_added_at_once(repo: Repo, home: Path) -> None:
    """Plain `git worktree add`, many at once: "failed to read .git/worktrees/…/commondir"."""
    base = repo.oid("main")

    def one(number: int) -> Worktree:
        where = str(home / f"w{number}")
        return add(repo.git_dir, str(home), where, branch=f"b{number}", base=base, owner="demo")

    with ThreadPoolExecutor(40) as each:
        made = list(each.map(one, range(40)))
    assert len({tree.name for tree in made}) == 40
    assert all(Path(tree.path, "a.txt").exists() for tree in made)


@pytest.mark.parametrize("moment", ["refs", "directory", "unmarked", "half checked out"])
def test_add_killed_anywhere_ends_the_same(repo: Repo, home: Path, spot: Path, moment: str) -> None:
    if moment == "refs":
        base_ref = "refs/callboard/demo/base/feat/login"
        repo.git("update-ref", base_ref, repo.oid("main"))
    elif moment == "directory":
        spot.mkdir(parents=True)
    else:
        made = make(repo, home, spot)
        (repo.path / ".git/worktrees" / made.name / "callboard").unlink()
        if moment == "half checked out":
            (spot / "a.txt").unlink()
            (repo.path / ".git/worktrees" / made.name / "index").unlink()
    make(repo, home, spot)
    assert repo.git("status", "--porcelain", at=spot) == ""
    assert len(repo.git("worktree", "list").splitlines()) == 2


def test_a_branch_of_the_user_is_refused(repo: Repo, home: Path, spot: Path) -> None:
    repo.branch("feat/login", {"x": "1\n"})
    with pytest.raises(RepositoryError) as error:
        make(repo, home, spot)
    assert refusal(error) is Rule.BRANCH_EXISTS


def test_a_branch_of_another_workflow_is_refused(repo: Repo, home: Path, spot: Path) -> None:
    make(repo, home, spot)
    repo.commit("Work", {"x": "1\n"}, at=spot)
    with pytest.raises(RepositoryError) as error:
        make(repo, home, spot.parent / "other", owner="demo-2")
    assert refusal(error) is Rule.BRANCH_EXISTS


def test_a_branch_checked_out_by_the_user_is_refused(repo: Repo, home: Path, spot: Path) -> None:
    repo.git("checkout", "-q", "-b", "feat/login")
    with pytest.raises(RepositoryError) as error:
        make(repo, home, spot)
    assert refusal(error) is Rule.BRANCH_CHECKED_OUT


def test_a_path_in_use_is_refused(repo: Repo, home: Path, spot: Path) -> None:
    repo.write({"mine": "1\n"}, at=spot)
    with pytest.raises(RepositoryError) as error:
        make(repo, home, spot)
    assert refusal(error) is Rule.PATH_IN_THE_WAY


def test_hazard_47_only_paths_inside_the_home_and_never_the_repository(
    repo: Repo, home: Path, tmp_path: Path
) -> None:
    """Hazard 47."""
    (home / "link").symlink_to(repo.path)
    everything = Path(repo.git_dir).parent.parent
    for path, root in [
        (repo.path, home),
        (home, home),
        (home / "link", home),
        (home / ".." / "repo", home),
        (repo.path, everything),
        (tmp_path / "elsewhere", home),
    ]:
        for action in (make, take):
            with pytest.raises(RepositoryError) as error:
                action(repo, root, path)
            assert refusal(error) is Rule.NOT_OURS
    assert (repo.path / "a.txt").exists()


def test_hazard_47_an_unregistered_directory_is_never_removed(repo: Repo, home: Path) -> None:
    """Hazard 47."""
    repo.write({"mine": "1\n"}, at=home / "stuff")
    with pytest.raises(RepositoryError) as error:
        take(repo, home, home / "stuff")
    assert refusal(error) is Rule.NOT_OURS
    with pytest.raises(RepositoryError):
        worktrees.discard(repo.git_dir, str(home), str(home / "stuff"))
    assert (home / "stuff/mine").exists()


def test_a_clean_and_merged_worktree_goes_and_its_branch_stays(
    repo: Repo, home: Path, spot: Path
) -> None:
    make(repo, home, spot)
    repo.commit("Work", {"x": "1\n"}, at=spot)
    repo.git("merge", "-q", "feat/login")
    assert take(repo, home, spot) == Removed(None)
    assert not spot.exists()
    assert len(repo.git("worktree", "list").splitlines()) == 1
    assert repo.oid("feat/login")
    assert take(repo, home, spot) == Removed(None)


def test_hazard_51_uncommitted_and_untracked_work_is_pinned(
    repo: Repo, home: Path, spot: Path
) -> None:
    """Hazard 51."""
    make(repo, home, spot)
    repo.commit("Ignore", {".gitignore": "*.log\n"}, at=spot)
    repo.write({"a.txt": "staged\n"}, at=spot)
    repo.git("add", "a.txt", at=spot)
    repo.write({"a.txt": "on disk\n", "new dir/ü.txt": "new\n", "x.log": "ignored\n"}, at=spot)
    (spot / "b.txt").unlink()
    head = repo.oid("HEAD", at=spot)
    removed = take(repo, home, spot)
    assert removed.pin is not None
    assert removed.pin.ref == "refs/callboard/demo/login"
    assert not spot.exists()
    files = repo.git("ls-tree", "-r", "-z", "--name-only", removed.pin.ref).split("\0")
    assert set(files) == {"", ".gitignore", "a.txt", "dir/c.txt", "new dir/ü.txt"}
    assert repo.git("show", f"{removed.pin.ref}:a.txt") == "on disk"
    assert repo.oid(f"{removed.pin.ref}^") == head


def test_hazard_51_an_unmerged_branch_is_pinned_at_its_head(
    repo: Repo, home: Path, spot: Path
) -> None:
    make(repo, home, spot)
    tip = repo.commit("Work", {"x": "1\n"}, at=spot)
    removed = take(repo, home, spot)
    assert removed.pin is not None
    assert repo.oid(removed.pin.ref) == tip


def test_a_pin_leaves_the_worktree_and_its_index_as_they_are(
    repo: Repo, home: Path, spot: Path
) -> None:
    made = make(repo, home, spot)
    repo.write({"a.txt": "changed\n", "new.txt": "new\n"}, at=spot)
    index = repo.path / ".git/worktrees" / made.name / "index"
    before = index.read_bytes()
    first = pin(repo.git_dir, str(spot), "demo/p")
    assert index.read_bytes() == before
    assert repo.git("status", "--porcelain", at=spot) == "M a.txt\n?? new.txt"
    assert pin(repo.git_dir, str(spot), "demo/p") == first
    repo.write({"a.txt": "changed again\n"}, at=spot)
    second = pin(repo.git_dir, str(spot), "demo/p")
    assert second.oid != first.oid
    repo.git("merge-base", "--is-ancestor", first.oid, second.oid)


def test_a_pin_of_a_merge_in_progress_has_both_parents(repo: Repo, home: Path, spot: Path) -> None:
    make(repo, home, spot)
    repo.commit("Ours", {"a.txt": "ours\n"}, at=spot)
    other = repo.branch("other", {"a.txt": "theirs\n"})
    repo.git("merge", "other", at=spot, check=False)
    kept = pin(repo.git_dir, str(spot), "demo/p")
    assert repo.oid(f"{kept.ref}^2") == other
    assert "<<<<<<<" in repo.git("show", f"{kept.ref}:a.txt")


def test_a_repository_inside_the_worktree_stops_its_removal(
    repo: Repo, home: Path, spot: Path
) -> None:
    make(repo, home, spot)
    repo.git("clone", "-q", ".", spot / "inner")
    with pytest.raises(RepositoryError) as error:
        take(repo, home, spot)
    assert refusal(error) is Rule.NESTED_REPOSITORY
    assert (spot / "inner/a.txt").exists()


@pytest.mark.parametrize("pushed", [True, False])
def test_a_commit_inside_a_submodule_goes_with_its_worktree_only_if_it_was_pushed(
    repo: Repo, home: Path, spot: Path, tmp_path: Path, pushed: bool
) -> None:
    """Hazard 76."""
    local = ("-c", "protocol.file.allow=always", "submodule", "-q")
    Repo.made(tmp_path / "upstream").commit("Upstream")
    repo.git("clone", "-q", "--bare", tmp_path / "upstream", tmp_path / "bare")
    repo.git(*local, "add", tmp_path / "bare", "sub")
    repo.commit("Submodule")
    make(repo, home, spot)
    repo.git(*local, "update", "--init", at=spot)
    identity = ("-c", "user.name=A", "-c", "user.email=a@b")
    repo.git(*identity, "commit", "-q", "--allow-empty", "-m", "Inside", at=spot / "sub")
    if pushed:
        repo.git("push", "-q", "origin", "HEAD:main", at=spot / "sub")
    repo.commit("Move the submodule", at=spot)
    repo.git("merge", "-q", "feat/login")
    at = (repo.git_dir, str(home), str(spot))
    assert worktrees.remove_merged(*at, merged_into=repo.oid("main")) is pushed
    assert spot.exists() is not pushed


def test_a_removal_killed_halfway_is_finished(repo: Repo, home: Path, spot: Path) -> None:
    make(repo, home, spot)
    spot.rename(f"{spot}.removing")
    shutil.rmtree(Path(f"{spot}.removing/dir"))
    assert take(repo, home, spot) == Removed(None)
    assert not Path(f"{spot}.removing").exists()
    assert len(repo.git("worktree", "list").splitlines()) == 1


def test_a_worktree_can_be_made_again_after_its_removal(repo: Repo, home: Path, spot: Path) -> None:
    make(repo, home, spot)
    repo.commit("Work", {"x": "1\n"}, at=spot)
    take(repo, home, spot)
    make(repo, home, spot)
    assert (spot / "x").exists()


def test_agents_commit_with_the_users_identity_and_hooks(
    repo: Repo, home: Path, spot: Path
) -> None:
    make(repo, home, spot)
    hook = repo.path / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    repo.commit("Work", at=spot)
    assert (spot / "ran").exists()
    assert repo.git("log", "-1", "--format=%an", at=spot) == "A U Thor"


STRIDES = pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.long)])


@STRIDES
def test_add_killed_at_any_step_is_finished_by_the_same_call(
    repo: Repo, home: Path, spot: Path, stride: int
) -> None:
    step, killed = 2 - stride, True
    while killed:
        step += stride
        killed = killed_at(step, lambda: make(repo, home, spot))
        made = make(repo, home, spot)
        assert repo.git("status", "--porcelain", at=spot) == ""
        assert made.tip == repo.oid("main")
        assert len(repo.git("worktree", "list").splitlines()) == 2
        worktrees.discard(repo.git_dir, str(home), str(spot))
        repo.git("branch", "-D", "feat/login")
    assert step > 6


@STRIDES
def test_hazard_51_a_removal_killed_at_any_step_loses_nothing(
    repo: Repo, home: Path, spot: Path, stride: int
) -> None:
    """Hazard 51."""
    step, killed = 3 - stride, True
    while killed:
        step += stride
        make(repo, home, spot)
        repo.write({"unsaved": f"{step}\n"}, at=spot)
        killed = killed_at(step, lambda: take(repo, home, spot))
        take(repo, home, spot)
        assert not spot.exists()
        assert repo.git("show", "refs/callboard/demo/login:unsaved") == str(step)
        assert len(repo.git("worktree", "list").splitlines()) == 1
    assert step > 10


def test_a_lock_that_a_killed_git_left_on_our_own_refs_is_removed(repo: Repo, home: Path) -> None:
    """Hazard 63."""
    for ref in ("refs/callboard/demo/base/task", "refs/heads/task"):
        lock = Path(repo.git_dir, f"{ref}.lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    base = repo.oid("main")
    made = add(repo.git_dir, str(home), str(home / "w"), branch="task", base=base, owner="demo")
    assert made.tip == base


def test_locks_that_a_killed_agent_left_are_removed_for_the_next(repo: Repo, home: Path) -> None:
    """Hazard 63."""
    where, base = home / "w", repo.oid("main")
    for _ in range(2):
        made = add(repo.git_dir, str(home), str(where), branch="t", base=base, owner="demo")
        repo.commit("work", {"f": "x"}, at=where)
        admin = Path(repo.git_dir, "worktrees", made.name)
        for lock in (admin / "index.lock", admin / "HEAD.lock"):
            lock.touch()
        Path(repo.git_dir, "refs/heads/t.lock").touch()
    add(repo.git_dir, str(home), str(where), branch="t", base=base, owner="demo")
    repo.commit("more", {"g": "x"}, at=where)


def test_a_worktree_that_somebody_removed_is_made_again_with_its_commits(
    repo: Repo, home: Path
) -> None:
    """Its registration is compared with the disk. Hazard 65."""
    where, base = home / "w", repo.oid("main")
    add(repo.git_dir, str(home), str(where), branch="t", base=base, owner="demo")
    tip = repo.commit("work", {"f": "x"}, at=where)
    shutil.rmtree(where)
    made = add(repo.git_dir, str(home), str(where), branch="t", base=base, owner="demo")
    assert (made.tip, (where / "f").read_text()) == (tip, "x")
    (where / ".git").unlink()
    with pytest.raises(RepositoryError, match="worktree repair"):
        add(repo.git_dir, str(home), str(where), branch="t", base=base, owner="demo")
    assert (where / "f").exists()


def test_a_branch_is_ours_by_a_proof_and_not_by_a_ref_that_anybody_can_write(
    repo: Repo, home: Path
) -> None:
    """Hazard 56."""
    base, path = repo.oid("main"), str(home / "w")

    def make_it() -> Worktree:
        return add(
            repo.git_dir, str(home), path, branch="task", base=base, owner="demo", proof="mine"
        )

    evil = repo.branch("task", {"evil": "x\n"})
    repo.git("update-ref", "refs/callboard/demo/base/task", base)
    with pytest.raises(RepositoryError) as error:
        make_it()
    assert refusal(error) is Rule.BRANCH_EXISTS
    tag = repo.git("tag", "-a", "-m", "guessed", "guess", base)
    repo.git("update-ref", "refs/callboard/demo/base/task", "refs/tags/guess")
    with pytest.raises(RepositoryError):
        make_it()
    assert not tag
    assert repo.oid("task") == evil
    repo.git("branch", "-D", "task")
    assert make_it().tip == base
    commit = repo.commit("an agent's", {"x": "x\n"}, at=Path(path))
    assert make_it().tip == commit
    assert repo.oid("refs/callboard/demo/base/task^{commit}") == base
    repo.git("fsck", "--strict")
