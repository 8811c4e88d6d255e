import subprocess
from pathlib import Path

import msgspec
import pygit2
import pytest

from actors.git.merging.conflicts import Kind
from actors.git.merging.merge import (
    Conflict,
    MergeRequest,
    MergeResult,
    Unrelated,
    forecast,
    merge_branches,
    plan_merge,
    preview,
)
from actors.git.reading.identity import CALLBOARD, Identity
from actors.git.running.errors import RepositoryError, Rule
from tests.repositories import Repo


def request(repo: Repo, *names: str) -> MergeRequest:
    branches = [(name, f"The work of {name}") for name in names]
    return plan_merge(repo.git_dir, "main", branches, time=1_700_000_000)


def merged(repo: Repo, *names: str) -> MergeResult:
    outcome = merge_branches(request(repo, *names))
    assert isinstance(outcome, MergeResult), outcome
    return outcome


def conflict(repo: Repo, *names: str) -> Conflict:
    outcome = merge_branches(request(repo, *names))
    assert isinstance(outcome, Conflict), outcome
    return outcome


def test_hazard_44_branches_merge_one_after_another_on_the_current_tip(repo: Repo) -> None:
    """Hazard 44."""
    one = repo.branch("one", {"one.txt": "1\n"})
    two = repo.branch("two", {"two.txt": "2\n"})
    base = repo.commit("The target moved on", {"z": "z\n"})
    result = merged(repo, "one", "two")
    first, second = (step.commit for step in result.steps)
    assert first is not None
    assert result.base == base
    assert result.result == second
    assert repo.git("rev-list", "--parents", "-1", first).split()[1:] == [base, one]
    assert repo.git("rev-list", "--parents", "-1", result.result).split()[1:] == [first, two]
    files = repo.git("ls-tree", "-r", "--name-only", result.result).split()
    assert files == ["a.txt", "b.txt", "dir/c.txt", "one.txt", "two.txt", "z"]


def test_hazard_46_a_merge_touches_neither_refs_nor_checkout(repo: Repo) -> None:
    """Hazard 46."""
    repo.branch("one", {"a.txt": "1\n"})
    repo.write({"a.txt": "mine\n"})
    before = repo.git("for-each-ref"), repo.git("status", "--porcelain")
    merged(repo, "one")
    preview(request(repo, "one"))
    assert (repo.git("for-each-ref"), repo.git("status", "--porcelain")) == before


def test_a_merge_commit_says_what_it_is(repo: Repo) -> None:
    repo.branch("one", {"one.txt": "1\n"})
    result = merged(repo, "one").result
    shown = repo.git("show", "-s", "--format=%an <%ae> %at %cn %ct%n%B", result)
    assert shown == (
        "A U Thor <author@example.com> 1700000000 A U Thor 1700000000\n"
        "Merge one: The work of one\n\nMerged into main by Callboard."
    )


def test_without_an_identity_callboard_signs(repo: Repo) -> None:
    repo.branch("one", {"one.txt": "1\n"})
    assert request(repo, "one").author == Identity("A U Thor", "author@example.com")
    repo.git("config", "--unset", "user.email")
    assert request(repo, "one").author == CALLBOARD


def test_the_same_request_gives_the_same_commits(repo: Repo) -> None:
    repo.branch("one", {"one.txt": "1\n"})
    repo.branch("two", {"two.txt": "2\n"})
    asked = request(repo, "one", "two")
    again = msgspec.json.decode(msgspec.json.encode(asked), type=MergeRequest)
    assert merge_branches(asked) == merge_branches(again)


def test_a_branch_that_is_in_already_makes_no_commit(repo: Repo) -> None:
    tip = repo.branch("one", {"one.txt": "1\n"})
    repo.git("merge", "-q", "--ff-only", "one")
    result = merged(repo, "one")
    assert result.result == tip
    assert result.steps[0].commit is None


def test_renames_are_followed(repo: Repo) -> None:
    text = "".join(f"line {number}\n" for number in range(30))
    repo.commit("Long", {"long.txt": text})
    side = repo.path.parent / "side"
    repo.git("worktree", "add", "-q", "-b", "rename", side)
    repo.git("mv", "long.txt", "moved.txt", at=side)
    repo.commit("Rename", at=side)
    repo.branch("edit", {"long.txt": text.replace("line 7\n", "line seven\n")})
    result = merged(repo, "rename", "edit").result
    assert "line seven" in repo.git("show", f"{result}:moved.txt")


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ({"a.txt": "1\n"}, {"a.txt": "2\n"}, Kind.BOTH_MODIFIED),
        ({"new.txt": "1\n"}, {"new.txt": "2\n"}, Kind.BOTH_ADDED),
        ({"a.txt": None}, {"a.txt": "2\n"}, Kind.DELETED_BY_US),
        ({"a.txt": "1\n"}, {"a.txt": None}, Kind.DELETED_BY_THEM),
    ],
)
def test_a_conflict_names_the_files_their_kind_and_the_other_branch(
    repo: Repo, ours: dict[str, str | None], theirs: dict[str, str | None], kind: Kind
) -> None:
    repo.branch("bystander", {"other.txt": "x\n"})
    for name, files in (("one", ours), ("two", theirs)):
        side = repo.path.parent / name
        repo.git("worktree", "add", "-q", "-b", name, side, "main")
        repo.write({path: text for path, text in files.items() if text is not None}, at=side)
        for path in [path for path, text in files.items() if text is None]:
            repo.git("rm", "-q", path, at=side)
        repo.commit(name, at=side)
    found = conflict(repo, "bystander", "one", "two")
    assert (found.branch, found.with_branches) == ("two", ("one",))
    assert [(file.path, file.kind) for file in found.files] == [(next(iter(ours)), kind)]
    assert [step.branch for step in found.steps] == ["bystander", "one"]
    assert found.onto == found.steps[-1].commit
    assert forecast(repo.git_dir, repo.oid("one"), repo.oid("two"))[0].kind is kind
    assert forecast(repo.git_dir, repo.oid("one"), repo.oid("bystander")) == ()


def test_a_conflict_with_the_target_names_the_target(repo: Repo) -> None:
    repo.branch("one", {"a.txt": "1\n"})
    repo.commit("Target", {"a.txt": "2\n"})
    assert conflict(repo, "one").with_branches == ("main",)


def test_unrelated_histories_do_not_merge(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "other")
    tip = repo.commit("Unrelated")
    repo.git("checkout", "-q", "main")
    outcome = merge_branches(request(repo, "other"))
    assert outcome == Unrelated(repo.oid("main"), "other", tip)
    assert forecast(repo.git_dir, repo.oid("main"), tip) == ()
    assert preview(request(repo, "other"))[0].unrelated


def test_a_missing_branch_is_an_error(repo: Repo) -> None:
    with pytest.raises(RepositoryError) as error:
        request(repo, "nowhere")
    assert error.value.rule is Rule.TARGET_MISSING


def test_task_branches_of_a_shallow_clone_merge(repo: Repo, tmp_path: Path) -> None:
    repo.commit("Second", {"z": "z\n"})
    clone = Repo(tmp_path / "shallow")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", clone.path)
    clone.git("config", "user.name", "A")
    clone.git("config", "user.email", "a@b")
    clone.branch("one", {"one.txt": "1\n"})
    clone.branch("two", {"two.txt": "2\n"})
    assert len(merged(clone, "one", "two").steps) == 2


def test_a_preview_goes_on_after_a_conflict(repo: Repo) -> None:
    repo.branch("one", {"a.txt": "1\n"})
    repo.branch("two", {"a.txt": "2\n", "two.txt": "2\n"})
    repo.branch("three", {"three.txt": "3\n"})
    one, two, three = preview(request(repo, "one", "two", "three"))
    assert (one.changes, one.conflicts) == (("a.txt",), ())
    assert two.changes == ("a.txt", "two.txt")
    assert [file.path for file in two.conflicts] == ["a.txt"]
    assert two.with_branches == ("one",)
    assert (three.changes, three.conflicts) == (("three.txt",), ())


def test_criss_cross_histories_merge_as_git_merges_them(repo: Repo) -> None:
    lines = [f"{number}\n" for number in range(20)]
    repo.commit("Lines", {"f": "".join(lines)})
    repo.branch("one", {"f": "".join(["one\n", *lines[1:]])})
    repo.branch("two", {"f": "".join([*lines[:-1], "two\n"])})
    one, two = repo.oid("one"), repo.oid("two")
    for name, other in (("one", two), ("two", one)):
        repo.git("checkout", "-q", name)
        repo.git("merge", "-q", "--no-edit", other)
    repo.git("checkout", "-q", "one")
    repo.commit("More", {"g": "g\n"})
    repo.git("checkout", "-q", "main")
    result = merged(repo, "one", "two").result
    repo.git("merge", "-q", "--no-ff", "--no-edit", "one")
    repo.git("merge", "-q", "--no-ff", "--no-edit", "two")
    assert repo.oid(f"{result}^{{tree}}") == repo.oid("main^{tree}")


def test_the_union_attribute_of_the_users_checkout_counts(repo: Repo) -> None:
    repo.commit("Union", {".gitattributes": "CHANGES merge=union\n", "CHANGES": "0\n"})
    repo.branch("one", {"CHANGES": "0\n1\n"})
    repo.branch("two", {"CHANGES": "0\n2\n"})
    result = merged(repo, "one", "two").result
    assert repo.git("show", f"{result}:CHANGES") == "0\n1\n2"


def test_merged_objects_are_sound(repo: Repo) -> None:
    repo.branch("one", {"x/1": "1\n"})
    repo.branch("two", {"x/2": "2\n"})
    result = merged(repo, "one", "two").result
    subprocess.run(["git", "-C", repo.path, "fsck", "--strict", result], check=True)
    assert pygit2.Repository(repo.git_dir)[result].type_str == "commit"
