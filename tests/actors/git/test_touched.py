"""The names that branches touch never hide a conflict that a trial merge would find.

Hazard 81.
"""

import random
from itertools import combinations

import pygit2
import pytest

from actors.git.merging.merge import forecast
from actors.git.reading.touched import common_start, may_conflict, touched_since
from tests.repositories import Repo

FILES = ["a", "b", "d/e", "d/f/g", "h/i"]
OVER = {"a": "a/under", "d/e": "d", "h/i": "h/i/j", "b": "d/new"}


def change(repo: Repo, chance: random.Random) -> None:
    """Make one random commit on the branch that is checked out."""
    there = repo.git("ls-files").split()
    name = chance.choice(there)
    match chance.randrange(5):
        case 0:
            repo.write({name: f"{chance.random()}\n" * 20})
        case 1:
            repo.git("rm", "-q", name)
        case 2:
            new = chance.choice(["moved/x", "moved/y", "z"])
            if new not in there:
                repo.write({"moved/keep": "k"})
                repo.git("mv", name, new)
        case 3:
            new = OVER.get(name, "fresh")
            if name in OVER:
                repo.git("rm", "-q", "-r", new.split("/")[0] if new == "d" else name)
            repo.write({new: f"{chance.random()}\n"})
        case _:
            repo.write({chance.choice(["new", "d/new"]): f"{chance.random()}\n"})
    repo.git("add", "-A")
    repo.git("commit", "-q", "--allow-empty", "-m", "x")


@pytest.mark.parametrize("seed", range(6))
def test_a_pair_that_conflicts_is_always_compared(repo: Repo, seed: int) -> None:
    chance = random.Random(seed)
    repo.write({name: f"{name}\n" * 20 for name in FILES})
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "files")
    bases = []
    branches = [f"b{number}" for number in range(6)]
    for number, branch in enumerate(branches):
        bases.append(repo.oid("main"))
        repo.git("checkout", "-q", "-b", branch, "main")
        for _ in range(chance.randrange(1, 4)):
            change(repo, chance)
        if number and chance.random() < 0.4:  # it takes another branch in
            repo.git("merge", "-q", "-X", "ours", chance.choice(branches[:number]), check=False)
            repo.git("add", "-A")
            repo.git("commit", "-q", "--allow-empty", "-m", "merged")
        repo.git("checkout", "-q", "main")
        if chance.random() < 0.4:
            change(repo, chance)
    start = common_start(repo.git_dir, sorted(set(bases)))
    assert start == bases[0]
    touched = {name: touched_since(repo.git_dir, start, repo.oid(name)) for name in branches}
    for one, other in combinations(branches, 2):
        if forecast(repo.git_dir, repo.oid(one), repo.oid(other)):
            assert may_conflict(touched[one], touched[other]), (one, other)


def test_branches_that_touch_different_files_are_not_compared(repo: Repo) -> None:
    start = repo.oid("main")
    for name in ("one", "two"):
        repo.git("checkout", "-q", "-b", name, "main")
        repo.write({f"{name}/file": "x\n"})
        repo.git("add", "-A")
        repo.git("commit", "-q", "-m", name)
    one, two = (touched_since(repo.git_dir, start, repo.oid(name)) for name in ("one", "two"))
    assert one is not None
    assert one.paths == {"one/file"}
    assert not may_conflict(one, two)
    assert may_conflict(one, None)


def test_without_a_common_start_nothing_is_known(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "root")
    repo.git("commit", "-q", "--allow-empty", "-m", "another root")
    found = common_start(repo.git_dir, [repo.oid("main"), repo.oid("root")])
    assert found is None
    assert pygit2.Repository(repo.git_dir).merge_base(repo.oid("main"), repo.oid("root")) is None
