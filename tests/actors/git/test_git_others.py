"""Of hundreds of branches only those are searched that may hold a new commit; nothing is missed."""

import random

from actors.git.reading.history import Others, moves
from actors.git.running.library import opened
from tests.repositories import Repo


def belonging(repo: Repo, old: str, new: str, others: list[tuple[str, str]]) -> tuple[str, ...]:
    """The commits that belong to a ref's change; the same, whether all or few are searched."""
    at = opened(repo.git_dir)
    few = Others().to_search(at, old, new, others)
    found = []
    for tips in (few, [tip for tip, _ in others]):
        move = moves(at, "refs/heads/mine", old, new, tips)
        found.append(tuple(commit.oid for commit in getattr(move, "commits", ())))
    assert found[0] == found[1]
    return found[0]


def test_plain_branches_are_searched_from_where_they_began(repo: Repo) -> None:
    base = repo.oid("main")
    others = [(repo.branch(f"b{number}", {f"{number}": "x\n"}), base) for number in range(5)]
    new = repo.branch("mine", {"mine": "x\n"})
    assert Others().to_search(opened(repo.git_dir), base, new, others) == [base]
    assert belonging(repo, base, new, others) == (new,)


def test_a_commit_of_another_branch_stays_its_own(repo: Repo) -> None:
    base = repo.oid("main")
    theirs = repo.branch("theirs", {"a": "x\n"})
    repo.git("branch", "mine", theirs)
    assert belonging(repo, base, theirs, [(theirs, base)]) == ()


def test_what_a_branch_has_merged_is_found(repo: Repo) -> None:
    base = repo.oid("main")
    side = repo.branch("side", {"a": "x\n"})
    repo.branch("theirs", {"b": "x\n"})
    repo.git("checkout", "-q", "theirs")
    repo.git("merge", "-q", "--no-edit", "side")
    theirs = repo.oid("theirs")
    repo.git("branch", "mine", side)
    assert belonging(repo, base, side, [(theirs, base)]) == ()


def test_any_history_gives_the_same_with_few_and_with_all(repo: Repo) -> None:
    dice = random.Random(7)
    base = repo.oid("main")
    names = [f"b{number}" for number in range(6)]
    for name in names:
        repo.git("branch", name, base)
    for step in range(40):
        name, other = dice.sample(names, 2)
        repo.git("checkout", "-q", name)
        before = repo.oid(name)
        if dice.random() < 0.3:
            repo.git(
                "merge", "-q", "--no-edit", *dice.choice([("--ff-only",), ()]), other, check=False
            )
        else:
            repo.commit(f"step {step}", {f"{name}-{step}": "x\n"})
        others = [(repo.oid(each), base) for each in names if each != name]
        repo.git("update-ref", "refs/heads/mine", repo.oid(name))
        belonging(repo, before, repo.oid(name), others)
