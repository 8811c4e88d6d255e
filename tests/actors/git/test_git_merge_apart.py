"""A merge from the trees alone is the merge that git makes, or is left to git."""

import os
import subprocess
from pathlib import Path
from random import Random

import pygit2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pygit2.enums import FileMode

from actors.git.merging.apart import Apart
from actors.git.merging.automerge import is_able
from actors.git.reading.graph import Contents, descends, merge_base
from tests.repositories import Repo

pytestmark = pytest.mark.skipif(not is_able(), reason="this git has no merge-tree --write-tree")

NAMES = ["a", "b", "d-", "d.b", "d/a", "d/b", "d/e/a", "d/e/b", "f/a", "f/b", "g", "g/x"]
"""Names that sort otherwise as directories, that are a file here and a directory there."""
LONG = "".join(f"line {number}\n" for number in range(20))
TEXTS = ["", "short\n", LONG, LONG + "more\n", LONG.replace("line 3\n", "")]
MODES = ["100644", "100755"]

files = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.sampled_from(MODES), st.sampled_from(TEXTS)), max_size=8
).filter(lambda found: not ("g" in found and "g/x" in found))
changes = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(st.none(), st.tuples(st.sampled_from(MODES), st.sampled_from(TEXTS))),
    max_size=3,
)
Files = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> pygit2.Repository:
    return pygit2.init_repository(str(tmp_path_factory.mktemp("apart") / "repo.git"), bare=True)


def commit(repo: pygit2.Repository, tree: Files, *parents: str) -> str:
    index = pygit2.Index()
    for name, (mode, text) in tree.items():
        blob = repo.create_blob(text.encode())
        index.add(pygit2.IndexEntry(name, blob, FileMode(int(mode, 8))))
    who = pygit2.Signature("A", "a@b", 1, 0)
    oid = index.write_tree(repo)
    return str(repo.create_commit(None, who, who, "x", oid, list(parents)))


def applied(tree: Files, change: dict[str, tuple[str, str] | None]) -> Files:
    made = dict(tree)
    for name, new in change.items():
        made.pop(name, None)
        if new is not None:
            for other in [each for each in made if each in ("g", "g/x") and name in ("g", "g/x")]:
                del made[other]
            made[name] = new
    return made


def apart(repo: pygit2.Repository, onto: str, tip: str) -> str | None:
    fork = Contents(repo, onto).fork(tip)
    return Apart(repo).merge(fork, onto, tip) if fork is not None else None


def gits_word(repo: pygit2.Repository, one: str, two: str) -> str | None:
    """The tree that git makes; None for a conflict."""
    args = ["git", "merge-tree", "--write-tree", one, two]
    done = subprocess.run(args, cwd=repo.path, stdout=subprocess.PIPE, check=False)
    return done.stdout.decode().strip() if done.returncode == 0 else None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(base=files, one=changes, two=changes)
def test_it_is_gits_tree_or_left_to_git(
    bare: pygit2.Repository,
    base: Files,
    one: dict[str, tuple[str, str] | None],
    two: dict[str, tuple[str, str] | None],
) -> None:
    """Hazard 74."""
    first = commit(bare, base)
    onto, tip = (commit(bare, applied(base, change), first) for change in (one, two))
    found = apart(bare, onto, tip)
    if found is not None:
        assert found == gits_word(bare, onto, tip)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(base=files, sides=st.lists(changes, min_size=2, max_size=6), kept=st.sampled_from([3, 200]))
def test_many_in_a_row_are_as_each_alone(
    bare: pygit2.Repository,
    base: Files,
    sides: list[dict[str, tuple[str, str] | None]],
    kept: int,
) -> None:
    first = commit(bare, base)
    tips = [commit(bare, applied(base, side), first) for side in sides]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.git.merging.apart._MOST_KEPT", kept)
        together = Apart(bare)
        onto = first
        for tip in tips:
            found = together.merge(first, onto, tip)
            assert found == Apart(bare).merge(first, onto, tip)
            if found is not None:
                who = pygit2.Signature("A", "a@b", 1, 0)
                onto = str(bare.create_commit(None, who, who, "x", found, [onto, tip]))


def test_files_of_two_sides_need_no_git(repo: Repo) -> None:
    repo.commit("Base", {"d/one": "1\n", "d/two": "2\n", "gone/x": "x\n"})
    repo.branch("one", {"d/one": "new\n", "d/added": "a\n", "a-/b": "c\n"})
    repo.branch("two", {"d/two": "new\n", "other/added": "a\n"})
    assert of(repo) == repo.git("merge-tree", "--write-tree", "one", "two")


def test_a_side_that_only_removes_needs_no_git(repo: Repo, tmp_path: Path) -> None:
    repo.commit("Base", {"d/one": "1\n", "gone/x": "x\n"})
    repo.branch("one", {"d/one": "new\n"})
    side = tmp_path / "side"
    repo.git("worktree", "add", "-q", "-b", "two", side, "main")
    repo.git("rm", "-rq", "gone", at=side)
    repo.commit("Remove", at=side)
    assert of(repo) == repo.git("merge-tree", "--write-tree", "one", "two")


def test_a_name_that_is_no_text_passes_through(repo: Repo, tmp_path: Path) -> None:
    for name, file in (("one", b"caf\xe9"), ("two", b"\xff\xfe x")):
        side = tmp_path / name
        repo.git("worktree", "add", "-q", "-b", name, side, "main")
        (side / os.fsdecode(file)).write_text(name)
        repo.commit("Odd", at=side)
    assert of(repo) == repo.git("merge-tree", "--write-tree", "one", "two")


@pytest.mark.parametrize("case", ["same file", "rename", "file to directory", "merge"])
def test_the_rest_is_left_to_git(repo: Repo, tmp_path: Path, case: str) -> None:
    repo.commit("Base", {"x": LONG, "y": "1\n"})
    repo.branch("one", {"x": LONG + "more\n"})
    side = tmp_path / "side"
    repo.git("worktree", "add", "-q", "-b", "two", side, "main")
    if case == "same file":
        repo.commit("Same", {"x": "first\n" + LONG}, at=side)
    elif case == "rename":
        repo.git("mv", "y", "z", at=side)
        repo.commit("Rename", at=side)
    elif case == "file to directory":
        repo.git("rm", "-q", "y", at=side)
        repo.commit("Directory", {"y/y": "1\n"}, at=side)
    else:
        repo.commit("Work", {"w": "1\n"}, at=side)
        repo.commit("Main goes on", {"m": "1\n"})
        repo.git("merge", "-q", "--no-edit", "main", at=side)
        repo.commit("More", {"w": "2\n"}, at=side)
        repo.git("checkout", "-q", "one")
    assert of(repo) is None


def of(repo: Repo) -> str | None:
    return apart(pygit2.Repository(repo.git_dir), repo.oid("one"), repo.oid("two"))


def test_directories_of_any_depth_are_left_to_git(bare: pygit2.Repository) -> None:
    def deep(text: str) -> str:
        oid, mode = bare.create_blob(text.encode()), FileMode.BLOB
        for _ in range(1_500):
            builder = bare.TreeBuilder()
            builder.insert(f"f{text}" if mode == FileMode.BLOB else "d", oid, mode)
            oid, mode = builder.write(), FileMode.TREE
        return str(oid)

    who = pygit2.Signature("A", "a@b", 1, 0)
    first = bare.create_commit(None, who, who, "x", deep("1"), [])
    onto, tip = (str(bare.create_commit(None, who, who, "x", deep(t), [first])) for t in "23")
    assert apart(bare, onto, tip) is None


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_what_merges_contain_is_what_the_commits_say(
    bare: pygit2.Repository, random: Random
) -> None:
    made: list[str] = []

    def commit_on(*parents: str) -> str:
        who = pygit2.Signature("A", "a@b", len(made), 0)
        tree = bare.TreeBuilder().write()
        return str(bare.create_commit(None, who, who, f"{len(made)}", tree, list(parents)))

    for _ in range(20):
        parents = random.sample(made, min(len(made), random.choice((0, 1, 1, 1, 1, 2))))
        made.append(commit_on(*parents))
    onto = random.choice(made)
    contents = Contents(bare, onto)
    for tip in random.sample(made, 10):
        assert contents.have(tip) == descends(bare, tip, onto)
        base = merge_base(bare, onto, tip)
        assert contents.meet(tip) == (base is not None)
        assert contents.fork(tip) in (base, None)
        if base is not None and not contents.have(tip):
            merge = commit_on(onto, tip)
            contents.bring(tip, merge)
            onto = merge
