import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.git.landing.land import Landed, land
from actors.git.landing.tested import Tree, checkout_tree
from actors.git.merging.merge import MergeResult, merge_branches, plan_merge
from actors.git.reading.changes import changed
from actors.git.running.errors import RepositoryError, Rule
from actors.git.trees import worktrees
from actors.git.users.branches import check_name, check_together
from actors.git.users.repository import is_dirty, survey
from tests.repositories import Repo


def refusal(path: Path, target: str = "main", branches: tuple[str, ...] = ()) -> Rule:
    with pytest.raises(RepositoryError) as caught:
        survey(str(path), target, branches)
    assert caught.value.message
    assert caught.value.help
    return caught.value.rule


def test_a_plain_repository(repo: Repo) -> None:
    found = survey(str(repo.path / "dir"), "main", ["feat/x"])
    assert found.git_dir == repo.git_dir
    assert found.workdir == str(repo.path)
    assert found.target_oid == repo.oid("main")
    assert found.checkouts == (str(repo.path),)
    assert found.changed == ()
    assert found.existing == {}
    assert found.notes == ()


def test_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") is Rule.NOT_THERE


def test_not_a_repository(tmp_path: Path) -> None:
    assert refusal(tmp_path) is Rule.NOT_A_REPOSITORY


def test_bare(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", ".", tmp_path / "bare.git")
    assert refusal(tmp_path / "bare.git") is Rule.BARE


def test_empty(empty: Repo) -> None:
    assert refusal(empty.path) is Rule.EMPTY


def test_target_missing(repo: Repo) -> None:
    assert refusal(repo.path, "trunk") is Rule.TARGET_MISSING


def test_reftable(repo: Repo) -> None:
    repo.git("config", "core.repositoryFormatVersion", "1")
    repo.git("config", "extensions.refStorage", "reftable")
    assert refusal(repo.path) is Rule.REFTABLE


def test_sha256(tmp_path: Path) -> None:
    path = tmp_path / "long"
    subprocess.run(["git", "init", "-q", "--object-format=sha256", path], check=True)
    assert refusal(path) is Rule.SHA256


def test_partial_clone(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--filter=blob:none", f"file://{repo.path}", tmp_path / "partial")
    assert refusal(tmp_path / "partial") is Rule.PARTIAL


def test_an_unknown_format_extension(repo: Repo) -> None:
    repo.git("config", "core.repositoryFormatVersion", "1")
    repo.git("config", "extensions.somethingNew", "true")
    assert refusal(repo.path) is Rule.FORMAT


def test_a_line_break_in_the_path_is_refused(tmp_path: Path) -> None:
    repo = Repo.made(tmp_path / "two\nlines")
    repo.commit("First")
    assert refusal(repo.path) is Rule.FORMAT


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owned_by_someone_else(repo: Repo) -> None:
    for path in (repo.path, repo.path / ".git", repo.path / ".git/config"):
        os.chown(path, 12345, 12345)
    assert refusal(repo.path) is Rule.OWNERSHIP


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_helps_with_a_repository_of_another_user_helps(
    repo: Repo, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git trusts the checkout; libgit2 and git's plumbing would ask for its `.git`. Hazard 74."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    old = repo.oid("main")
    repo.branch("one", {"one.txt": "1\n"})
    subprocess.run(["chown", "-R", "12345:12345", repo.path], check=True)
    with pytest.raises(RepositoryError) as caught:
        survey(str(repo.path / "dir"), "main")
    assert caught.value.rule is Rule.OWNERSHIP
    subprocess.run(caught.value.help, shell=True, check=True)
    found = survey(str(repo.path / "dir"), "main")
    worktrees.add(found.git_dir, str(home), str(home / "t"), branch="t", base=old, owner="demo")
    made = merge_branches(plan_merge(found.git_dir, "main", [("one", "")], time=1))
    assert isinstance(made, MergeResult)
    tested = checkout_tree(found.git_dir, str(home), str(home / "tested"), made.result)
    assert isinstance(tested, Tree)
    landed = land(found.git_dir, "main", old=old, new=made.result, message="landed")
    assert isinstance(landed, Landed)


@pytest.mark.parametrize(
    "text", ["[core\n", "[diff]\nrenameLimit = many\n", "[include]\npath = /\n"]
)
def test_settings_that_git_cannot_read_are_named(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text(text)
    assert refusal(repo.path) is Rule.SETTINGS


def test_git_missing(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert refusal(repo.path) is Rule.GIT_MISSING


def test_detached_head_is_allowed_and_told(repo: Repo) -> None:
    repo.git("checkout", "-q", "--detach")
    found = survey(str(repo.path), "main")
    assert found.checkouts == ()
    assert "detached" in found.notes[0]


def test_a_shallow_clone_is_allowed_and_told(repo: Repo, tmp_path: Path) -> None:
    repo.commit("Second")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", tmp_path / "shallow")
    assert "shallow" in survey(str(tmp_path / "shallow"), "main").notes[0]


def test_a_dirty_checkout_of_the_target_is_allowed_and_listed(repo: Repo) -> None:
    repo.write({"a.txt": "changed\n", "new.txt": "untracked\n"})
    repo.git("mv", "b.txt", "moved.txt")
    found = survey(str(repo.path), "main")
    names = {str(repo.path / name) for name in ("a.txt", "b.txt", "moved.txt")}
    assert set(found.changed) == names


def test_a_linked_worktree_stands_for_its_repository(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "other", tmp_path / "linked")
    found = survey(str(tmp_path / "linked"), "other")
    assert found.git_dir == repo.git_dir
    assert found.checkouts == (str(tmp_path / "linked"),)


def test_a_linked_worktree_of_a_bare_repository(repo: Repo, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", ".", bare)
    repo.git("worktree", "add", "-q", tmp_path / "linked", "main", at=bare)
    found = survey(str(tmp_path / "linked"), "main")
    assert found.git_dir == str(bare)
    assert found.workdir is None
    assert found.checkouts == (str(tmp_path / "linked"),)


def test_submodules_and_lfs_are_told(repo: Repo) -> None:
    repo.commit("More", {".gitmodules": "", ".gitattributes": "*.bin filter=lfs -text\n"})
    notes = survey(str(repo.path), "main").notes
    assert "submodules" in notes[0]
    assert "LFS" in notes[1]
    assert "filter lfs" in notes[2]


def test_the_programs_that_attributes_name_are_told(repo: Repo) -> None:
    text = "# c merge=no\na merge=own\nb merge=ours\nc merge=union\nd filter=f\ne filter=g\n"
    repo.commit("More", {"below/.gitattributes": text})
    repo.git("config", "merge.own.driver", "./merge.sh %A\x1b")
    repo.git("config", "filter.f.clean", "cat")
    assert list(survey(str(repo.path), "main").notes) == [
        "filter f: tests see what it writes; it runs cat",
        "filter g: it is not configured (filter.g.smudge), so nothing runs",
        "merge driver ours: it is not configured (merge.ours.driver), so git merges its files as"
        " text",
        "merge driver own: each merge runs it: ./merge.sh %A\\x1b",
    ]


def test_existing_branches_are_named(repo: Repo) -> None:
    repo.git("branch", "feat/x")
    assert survey(str(repo.path), "main", ["feat/x"]).existing == {"feat/x": repo.oid("main")}


@pytest.mark.parametrize("name", ["", "-x", "a..b", "a b", "a.lock", "HEAD", "/a", "a/", "a~1"])
def test_a_branch_git_would_refuse(repo: Repo, name: str) -> None:
    assert refusal(repo.path, branches=(name,)) is Rule.BRANCH_NAME


@pytest.mark.parametrize(
    "names", [("a", "a/b"), ("a/b", "a"), ("main/x",), ("main",), ("old",), ("old/it/er",)]
)
def test_branches_that_cannot_stand_together(repo: Repo, names: tuple[str, ...]) -> None:
    repo.git("branch", "old/it")
    assert refusal(repo.path, branches=names) is Rule.BRANCH_CONFLICT


def test_case_matters_only_where_the_file_system_says_so() -> None:
    check_together(["Feat", "feat"], {}, ignore_case=False)
    with pytest.raises(RepositoryError):
        check_together(["Feat", "feat"], {}, ignore_case=True)
    with pytest.raises(RepositoryError):
        check_together(["MAIN"], {"main": ""}, ignore_case=True)


@given(st.text(st.sampled_from("ab./-@{~^:?*[\\ \x7f\tHEADlock"), max_size=12))
def test_names_are_refused_as_git_refuses_them(name: str) -> None:
    done = subprocess.run(
        ["git", "check-ref-format", f"refs/heads/{name}"], check=False, capture_output=True
    )
    git_says = done.returncode == 0 and not name.startswith("-") and name not in ("HEAD", "@")
    try:
        check_name(name)
        we_say = True
    except RepositoryError:
        we_say = False
    assert we_say == git_says


def test_dirty_means_changed_or_untracked_but_not_ignored(repo: Repo) -> None:
    path = str(repo.path)
    assert not is_dirty(path)
    repo.commit("Ignore", {".gitignore": "*.log\n"})
    repo.write({"x.log": "x"})
    assert not is_dirty(path)
    repo.write({"new.txt": "x"})
    assert is_dirty(path)
    assert list(changed(path)) == []
