"""Which directory is the user's, whatever the settings say, and that git acts nowhere else."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from actors.git.landing.land import Landed, TargetLocked, land
from actors.git.landing.tested import Tree, checkout_tree
from actors.git.merging.merge import MergeResult, merge_branches, plan_merge
from actors.git.running import places
from actors.git.running.errors import RepositoryError, Rule
from actors.git.running.places import Within, explicit, main_workdir, may_be, place_within
from actors.git.trees.pins import pin
from actors.git.trees.worktrees import Worktree, add, remove
from actors.git.users.repository import survey
from actors.platform.files import read_line
from tests.repositories import Repo


def apart(repo: Repo, place: Path) -> str:
    """Move the git directory away; `.git` names it. Its new place."""
    repo.git("init", "-q", "--separate-git-dir", place)
    return str(place)


def linked(repo: Repo, place: Path) -> str:
    """Move the git directory away; `.git` is a symbolic link to it."""
    shutil.move(repo.git_dir, place)
    Path(repo.git_dir).symlink_to(place)
    return str(place)


def plain(repo: Repo, _place: Path) -> str:
    return repo.git_dir


def lands(repo: Repo, git_dir: str) -> None:
    repo.branch("next", {"a.txt": "a2\n", "new.txt": "n\n"})
    old, new = repo.oid("main"), repo.oid("next")
    result = land(git_dir, "main", old=old, new=new, message="x", repo=str(repo.path))
    assert result == Landed(new, (str(repo.path),), ())
    assert repo.git("status", "--porcelain") == ""
    assert (repo.path / "new.txt").read_text() == "n\n"


@pytest.mark.parametrize("kind", [plain, apart, linked])
def test_a_checkout_follows_wherever_its_git_directory_is(
    repo: Repo, tmp_path: Path, kind: object
) -> None:
    git_dir = kind(repo, tmp_path / "elsewhere.git")  # type: ignore[operator]
    found = survey(str(repo.path), "main")
    assert (found.git_dir, found.workdir) == (git_dir, str(repo.path))
    assert found.checkouts == (str(repo.path),)
    lands(repo, git_dir)


def test_a_checkout_that_is_said_to_be_none_follows(repo: Repo) -> None:
    """An agent's `git init` in a wrong place sets core.bare for all. Hazard 75."""
    repo.branch("next", {"a.txt": "a2\n", "new.txt": "n\n"})
    old, new = repo.oid("main"), repo.oid("next")
    repo.git("config", "core.bare", "true")
    result = land(repo.git_dir, "main", old=old, new=new, message="x", repo=str(repo.path))
    assert result == Landed(new, (str(repo.path),), ())
    with pytest.raises(RepositoryError, match=r"core\.bare") as refused:
        survey(str(repo.path), "main")
    subprocess.run(refused.value.help, shell=True, check=True)
    assert survey(str(repo.path), "main").workdir == str(repo.path)
    assert repo.git("status", "--porcelain") == ""


def test_a_checkout_that_cannot_be_found_is_no_landing(repo: Repo, tmp_path: Path) -> None:
    """Hazard 75."""
    git_dir = apart(repo, tmp_path / "elsewhere.git")
    repo.branch("next", {"a.txt": "a2\n"})
    old, new = repo.oid("main"), repo.oid("next")
    assert isinstance(land(git_dir, "main", old=old, new=new, message="x"), TargetLocked)
    assert repo.oid("main") == old


def test_git_acts_in_the_worktree_and_not_where_the_settings_send_it(
    repo: Repo, home: Path, tmp_path: Path
) -> None:
    """`reset --hard` ran in the user's checkout. Hazard 75."""
    git_dir = apart(repo, tmp_path / "elsewhere.git")
    repo.git("config", "core.worktree", repo.path)
    repo.git("config", "extensions.worktreeConfig", "true")
    (repo.path / "a.txt").write_text("mine, not committed\n")
    base, path = repo.oid("main"), home / "task"
    add(git_dir, str(home), str(path), branch="task", base=base, owner="demo")
    checkout_tree(git_dir, str(home), str(home / "tested"), base)
    assert (repo.path / "a.txt").read_text() == "mine, not committed\n"
    assert (path / "a.txt").read_text() == "a\n"
    repo.commit("an agent's", {"agent.txt": "x\n"}, at=path)
    assert not (repo.path / "agent.txt").exists()
    assert repo.oid("main") == base
    assert main_workdir(git_dir) == str(repo.path)


@pytest.mark.parametrize("command", ["core.worktree", "core.bare"])
def test_a_setting_that_changes_later_sends_our_git_nowhere(
    repo: Repo, home: Path, command: str
) -> None:
    path = str(home / "task")
    add(repo.git_dir, str(home), path, branch="task", base=repo.oid("main"), owner="demo")
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("config", command, repo.path if command == "core.worktree" else "true")
    assert explicit(path)["GIT_WORK_TREE"] == path
    again = add(repo.git_dir, str(home), path, branch="task", base=repo.oid("main"), owner="demo")
    assert again.path == path


def test_a_place_that_no_setting_can_mend_is_refused(
    repo: Repo, home: Path, tmp_path: Path
) -> None:
    """The setting comes from outside the repository, so that a worktree's own does not count."""
    base = repo.oid("main")
    hook = tmp_path / "bin" / "git"
    hook.parent.mkdir()
    real = shutil.which("git")
    hook.write_text(f'#!/bin/sh\ncase "$*" in *show-toplevel*) cd {repo.path};; esac\n'
                    f'case "$*" in *show-toplevel*) exec {real} rev-parse --show-toplevel;; esac\n'
                    f'exec {real} "$@"\n')  # fmt: skip
    hook.chmod(0o755)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{hook.parent}:/usr/bin:/bin")
        with pytest.raises(RepositoryError) as refused:
            add(repo.git_dir, str(home), str(home / "t"), branch="t", base=base, owner="demo")
    assert refused.value.rule is Rule.DISPLACED


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
def test_the_tested_tree_is_the_commit_whole_though_the_users_checkout_is_sparse(
    repo: Repo, home: Path, cone: str
) -> None:
    """Hazard 60."""
    repo.git("sparse-checkout", "init", cone)
    repo.git("sparse-checkout", "set", "other")
    assert not (repo.path / "dir").exists()
    tested = home / "tested"
    for _ in range(2):
        checkout_tree(repo.git_dir, str(home), str(tested), repo.oid("main"))
        assert (tested / "dir/c.txt").read_text() == "c\n"
        assert repo.git("ls-files", "-v", at=tested).splitlines() == [
            "H a.txt", "H b.txt", "H dir/c.txt",
        ]  # fmt: skip
        assert repo.git("status", "--porcelain", at=tested) == ""
        repo.git("reset", "-q", "--hard", at=tested)
        assert (tested / "dir/c.txt").exists()


def test_a_place_within_the_repository(repo: Repo) -> None:
    assert place_within(repo.path) == Path()
    assert place_within(repo.path / "dir") == Path("dir")


def test_a_core_worktree_that_sends_git_elsewhere_is_said(repo: Repo, tmp_path: Path) -> None:
    """What landed would be taken back by a commit from there. Hazard 75."""
    repo.git("config", "core.worktree", str(repo.path))
    assert survey(str(repo.path), "main").notes == ()
    (tmp_path / "elsewhere").mkdir()
    repo.git("config", "core.worktree", str(tmp_path / "elsewhere"))
    (note,) = survey(str(repo.path), "main").notes
    assert f"from {repo.path} to {tmp_path / 'elsewhere'}" in note
    (tmp_path / "elsewhere").rmdir()
    with pytest.raises(RepositoryError, match="elsewhere, which is not there") as error:
        survey(str(repo.path), "main")
    subprocess.run(shlex.split(error.value.help), check=True)
    assert survey(str(repo.path), "main").notes == ()


@pytest.mark.parametrize("where", ["/nonexistent", "elsewhere", "fake"])
def test_a_core_worktree_that_an_agent_sets_stops_nothing(
    repo: Repo, home: Path, tmp_path: Path, where: str
) -> None:
    """Landing looped, and `stop` was refused. Hazard 75."""
    base, path = repo.oid("main"), home / "task"
    task = add(repo.git_dir, str(home), str(path), branch="task", base=base, owner="demo")
    tip = repo.commit("an agent's", {"a.txt": "a2\n"}, at=path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / ".git").write_text(f"gitdir: {repo.git_dir}\n")
    repo.git("config", "core.worktree", str(tmp_path / where))
    merged = merge_branches(plan_merge(repo.git_dir, "main", [("task", "")], time=0))
    assert isinstance(merged, MergeResult)
    tested = checkout_tree(repo.git_dir, str(home), str(home / "tested"), merged.result)
    assert isinstance(tested, Tree)
    found = land(
        repo.git_dir, "main", old=base, new=merged.result, message="x", repo=str(repo.path)
    )
    assert found == Landed(merged.result, (str(repo.path),), ())
    assert (repo.path / "a.txt").read_text() == "a2\n"
    (path / "a.txt").write_text("more\n")
    assert pin(repo.git_dir, str(path), "demo/task").unpinned == ()
    again = add(repo.git_dir, str(home), str(path), branch="task", base=base, owner="demo")
    assert again == Worktree(path=str(path), name=task.name, branch="task", base=base, tip=tip)
    remove(repo.git_dir, str(home), str(path), merged_into=merged.result, pin_as="demo/task")
    assert not path.exists()


def test_a_registration_may_be_of_a_worktree_unless_it_names_another_directory(
    tmp_path: Path,
) -> None:
    here, other, link = tmp_path / "here", tmp_path / "other", tmp_path / "link"
    here.mkdir()
    other.mkdir()
    link.symlink_to(here)
    assert may_be(here / ".git", here)
    assert may_be(link / ".git", here)
    assert may_be(other / ".." / "here" / ".git", link)
    assert not may_be(other / ".git", here)
    assert not may_be(tmp_path / "gone" / ".git", here)
    assert not may_be(other / ".git", tmp_path / "gone")
    assert may_be(tmp_path / "gone" / ".git", tmp_path / "gone")
    looped = tmp_path / "looped"
    looped.symlink_to(looped)
    assert may_be(other / ".git", looped)  # unknown


def test_of_many_worktrees_of_one_name_the_one_that_git_names_is_looked_at_first(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = [tmp_path / f"p{number}" / "t0" for number in range(12)]
    for tree in trees:
        repo.git("worktree", "add", "-q", "--detach", tree)
    read: list[str] = []

    def noted(path: Path | str) -> str:
        read.append(str(path))
        return read_line(path)

    monkeypatch.setattr(places, "read_line", noted)
    within = Within(repo.git_dir)
    own = [Path(repo.git("rev-parse", "--absolute-git-dir", at=tree)) for tree in trees]
    read.clear()
    assert [within.admin(str(tree)) for tree in trees] == own
    assert len(read) == 2 * len(trees)
    (trees[3] / ".git").write_text(f"gitdir: {own[5]}\n")  # it is not believed
    assert within.admin(str(trees[3])) == own[3]
