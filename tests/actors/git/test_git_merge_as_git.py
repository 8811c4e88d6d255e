"""What Callboard merges is what `git merge` would make with the same attributes and settings.

Each case is merged by both: the trees are equal, or both see a conflict in the same files.
"""

import subprocess
from pathlib import Path

import pygit2
import pytest

from actors.git.merging.automerge import is_able
from actors.git.merging.conflicts import Kind
from actors.git.merging.merge import (
    Conflict,
    MergeResult,
    forecast,
    merge_branches,
    plan_merge,
    preview,
)
from actors.git.users.repository import survey
from tests.repositories import Repo

pytestmark = pytest.mark.skipif(not is_able(), reason="this git has no merge-tree --write-tree")

LINES = [f"line {number}\n" for number in range(30)]


def changed(number: int, text: str) -> str:
    return "".join([*LINES[:number], text, *LINES[number + 1 :]])


def gits_word(repo: Repo) -> tuple[str, list[str]]:
    """The tree that `git merge` makes of the branches `one` and `two`, or the files in conflict."""
    side = repo.path.parent / "gits"
    repo.git("worktree", "add", "-q", "--detach", side, "main")
    for name in ("one", "two"):
        repo.git("merge", "-q", "--no-ff", "-m", f"Merge {name}", name, at=side, check=False)
    unmerged = repo.git("diff", "--name-only", "--diff-filter=U", at=side)
    return ("" if unmerged else repo.oid("HEAD^{tree}", side)), unmerged.split()


def our_word(repo: Repo) -> tuple[str, list[str]]:
    found = merge_branches(plan_merge(repo.git_dir, "main", [("one", ""), ("two", "")], time=1))
    if isinstance(found, MergeResult):
        return repo.oid(f"{found.result}^{{tree}}"), []
    assert isinstance(found, Conflict)
    return "", sorted({path for file in found.files for path in file.paths})


def directory_rename(repo: Repo) -> None:
    repo.commit("Lib", {f"lib/{n}.py": f"{n}\n" * 20 for n in range(4)})
    side = repo.path.parent / "side"
    repo.git("worktree", "add", "-q", "-b", "one", side)
    repo.git("mv", "lib", "library", at=side)
    repo.commit("Rename lib", at=side)
    repo.branch("two", {"lib/new.py": "new\n"})


def driver(repo: Repo) -> None:
    """`ours`, as the manual of git suggests it, and by a script that lies in the repository."""
    repo.commit(
        "Attributes",
        {
            ".gitattributes": "lock merge=mine\nsub/* merge=script\n",
            "lock": "0\n",
            "sub/x": "0\n",
            "merge.sh": "echo merged by the script > $1\n",
        },
    )
    repo.git("config", "merge.mine.driver", "true")
    repo.git("config", "merge.script.driver", "sh ./merge.sh %A")
    repo.branch("one", {"lock": "1\n", "sub/x": "1\n"})
    repo.branch("two", {"lock": "2\n", "sub/x": "2\n"})


def driver_of_a_subdirectory(repo: Repo) -> None:
    repo.commit("Attributes", {"sub/.gitattributes": "x merge=mine\n", "sub/x": "0\n"})
    repo.git("config", "merge.mine.driver", "true")
    repo.branch("one", {"sub/x": "1\n"})
    repo.branch("two", {"sub/x": "2\n"})


def union_in_info(repo: Repo) -> None:
    (repo.path / ".git/info/attributes").write_text("a.txt merge=union\n")
    repo.branch("one", {"a.txt": "a\n1\n"})
    repo.branch("two", {"a.txt": "a\n2\n"})


def union_of_the_user(repo: Repo) -> None:
    file = repo.path.parent / "attributes"
    file.write_text("a.txt merge=union\n")
    repo.git("config", "core.attributesFile", str(file))
    repo.branch("one", {"a.txt": "a\n1\n"})
    repo.branch("two", {"a.txt": "a\n2\n"})


def never_merge(repo: Repo) -> None:
    repo.commit("Attributes", {".gitattributes": "long -merge\n", "long": "".join(LINES)})
    repo.branch("one", {"long": changed(2, "one\n")})
    repo.branch("two", {"long": changed(20, "two\n")})


def attributes_that_a_branch_brings(repo: Repo) -> None:
    repo.branch("one", {".gitattributes": "a.txt merge=union\n", "a.txt": "a\n1\n"})
    repo.branch("two", {"a.txt": "a\n2\n"})


def no_renames(repo: Repo) -> None:
    repo.commit("Long", {"long": "".join(LINES)})
    side = repo.path.parent / "side"
    repo.git("worktree", "add", "-q", "-b", "one", side)
    repo.git("mv", "long", "moved", at=side)
    repo.commit("Rename", at=side)
    repo.branch("two", {"long": changed(2, "two\n")})


def line_ends(repo: Repo) -> None:
    repo.commit("Long", {"long.txt": "".join(LINES)})
    repo.branch("one", {"long.txt": changed(2, "one\n")})
    repo.branch("two", {"long.txt": changed(20, "two\n").replace("\n", "\r\n")})
    repo.commit("Attributes", {".gitattributes": "*.txt text\n"})


CASES = [
    (directory_rename, []),
    (directory_rename, ["merge.directoryRenames=true"]),
    (directory_rename, ["merge.directoryRenames=false"]),
    (driver, []),
    (driver_of_a_subdirectory, []),
    (union_in_info, []),
    (union_of_the_user, []),
    (never_merge, []),
    (attributes_that_a_branch_brings, []),
    (no_renames, []),
    (no_renames, ["merge.renames=false"]),
    (line_ends, ["merge.renormalize=true"]),
    (line_ends, []),
    (no_renames, ["merge.verifySignatures=true", "commit.gpgSign=true", "merge.ff=only"]),
]


@pytest.mark.parametrize(
    ("case", "settings"), CASES, ids=[f"{c.__name__} {' '.join(s)}".strip() for c, s in CASES]
)
def test_a_merge_is_what_git_makes_of_it(repo: Repo, case: object, settings: list[str]) -> None:
    """Hazard 74."""
    assert callable(case)
    case(repo)
    theirs_alone = "merge.verifySignatures=true" in settings
    for setting in settings:
        repo.git("config", *setting.split("=", 1))
    tree, files = our_word(repo)
    if theirs_alone:  # said by `check`: neither is done for our merges
        for setting in settings:
            repo.git("config", "--unset", setting.partition("=")[0])
    gits_tree, unmerged = gits_word(repo)
    assert tree == gits_tree
    assert set(unmerged) <= set(files)
    assert bool(unmerged) == bool(files)


def test_a_directory_rename_is_a_conflict_where_git_asks(repo: Repo) -> None:
    directory_rename(repo)
    found = merge_branches(plan_merge(repo.git_dir, "main", [("one", ""), ("two", "")], time=1))
    assert isinstance(found, Conflict)
    assert [(file.path, file.kind) for file in found.files] == [("library/new.py", Kind.RENAMED)]
    assert found.files[0].paths == ("library/new.py", "lib/new.py")


def test_the_users_changed_attributes_do_not_count(repo: Repo) -> None:
    """What is merged depends on the commits, not on the checkout. Hazard 74."""
    repo.branch("one", {"a.txt": "a\n1\n"})
    repo.branch("two", {"a.txt": "a\n2\n"})
    repo.write({".gitattributes": "a.txt merge=union\n"})
    assert our_word(repo) == ("", ["a.txt"])


def test_a_binary_file_in_conflict_is_called_so(repo: Repo) -> None:
    repo.commit("Binary", {"logo": "\0\1\2"})
    repo.branch("one", {"logo": "\0\1\3"})
    repo.branch("two", {"logo": "\0\1\4"})
    found = merge_branches(plan_merge(repo.git_dir, "main", [("one", ""), ("two", "")], time=1))
    assert isinstance(found, Conflict)
    assert [(file.path, file.kind) for file in found.files] == [("logo", Kind.BINARY)]


def test_names_that_are_no_text_pass_through(repo: Repo) -> None:
    """Hazard 73."""
    name = "caf\udce9.txt"
    repo.commit("Odd", {name: "0\n"})
    one, two = repo.branch("one", {name: "1\n"}), repo.branch("two", {name: "2\n"})
    asked = plan_merge(repo.git_dir, "main", [("one", ""), ("two", "")], time=1)
    found = merge_branches(asked)
    assert isinstance(found, Conflict)
    assert [file.path for file in found.files] == [r"caf\xe9.txt"]
    assert found.with_branches == ("one",)
    assert [file.path for file in forecast(repo.git_dir, one, two)] == [r"caf\xe9.txt"]
    assert preview(asked)[1].changes == (r"caf\xe9.txt",)


def test_nothing_is_left_behind(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    driver(repo)
    our_word(repo)
    assert list(place.iterdir()) == []
    subprocess.run(["git", "-C", repo.path, "fsck", "--strict"], check=True, capture_output=True)


@pytest.mark.parametrize("kind", ["split", "sparse"])
def test_an_index_that_libgit2_does_not_know_stops_nothing(repo: Repo, kind: str) -> None:
    """Nobody asks libgit2 to read the user's index."""
    repo.commit("Long", {"x/long": "".join(LINES)})
    one = repo.branch("one", {"x/long": changed(2, "one\n")})
    two = repo.branch("two", {"x/long": changed(20, "two\n")})
    three = repo.branch("three", {"x/long": changed(20, "three\n")})
    if kind == "split":
        repo.git("config", "core.splitIndex", "true")
        repo.git("update-index", "--split-index")
    else:
        repo.git("sparse-checkout", "init", "--cone", "--sparse-index")
    with pytest.raises(pygit2.GitError):
        pygit2.Repository(repo.git_dir).index.read()
    assert our_word(repo)[1] == []
    assert forecast(repo.git_dir, one, two) == ()
    assert [file.path for file in forecast(repo.git_dir, two, three)] == ["x/long"]
    assert survey(str(repo.path), "main").target == "main"


def test_a_driver_that_hangs_is_named_with_its_file(repo: Repo) -> None:
    """Hazard 74."""
    name = "it's 100%.txt"
    repo.commit("Attributes", {".gitattributes": "*.txt merge=o%wn\n", name: "0\n"})
    repo.git("config", "merge.o%wn.driver", "while :; do sleep 0.1; done")
    repo.branch("one", {name: "1\n"})
    repo.branch("two", {name: "2\n"})
    repo.branch("three", {"other": "3\n"})
    branches = [(branch, "") for branch in ("one", "two", "three")]
    first, *others = preview(plan_merge(repo.git_dir, "main", branches, time=0), seconds=3)
    assert first.unknown == ""
    for other in others:
        assert other.unknown.startswith(f"the merge driver o%wn of {name} did not end in ")


def test_a_forecast_runs_no_driver(repo: Repo) -> None:
    driver(repo)
    repo.git("config", "merge.script.driver", f"touch {repo.path}/ran")
    assert forecast(repo.git_dir, repo.oid("one"), repo.oid("two")) == ()
    assert not (repo.path / "ran").exists()


def test_a_forecast_runs_no_filter(repo: Repo) -> None:
    """Hazard 59."""
    repo.commit("File", {"a": "0\n"})
    one, two = repo.branch("one", {"a": "1\n"}), repo.branch("two", {"a": "2\n"})
    repo.git("config", "merge.renormalize", "true")
    repo.git("config", "filter.x.clean", f"touch {repo.path}/ran; cat")
    Path(repo.git_dir, "info", "attributes").write_text("* filter=x\n")
    assert [file.path for file in forecast(repo.git_dir, one, two)] == ["a"]
    assert not (repo.path / "ran").exists()
