from pathlib import Path

import pygit2
import pytest

from actors.git.reading.commits import Commit
from actors.git.reading.graph import descends
from actors.git.reading.history import (
    Advanced,
    Created,
    Deleted,
    Rewritten,
    moves,
)
from bus.kinds import RefChange
from tests.repositories import Repo

REF = "refs/heads/task"


@pytest.fixture
def task(repo: Repo) -> Repo:
    repo.git("checkout", "-q", "-b", "task")
    return repo


def seen(repo: Repo, old: str | None, others: tuple[str, ...] = ()) -> tuple[Commit, ...]:
    move = moves(pygit2.Repository(repo.git_dir), REF, old, repo.oid("task"), others)
    assert isinstance(move, Advanced | Created)
    return move.commits


def messages(commits: tuple[Commit, ...]) -> list[str]:
    return [commit.message.strip() for commit in commits]


def test_an_advance_lists_its_commits_oldest_first(task: Repo) -> None:
    base = task.oid("main")
    task.commit("One", {"x": "1\n"})
    task.commit("Two #done", {"x": "2\n"})
    commits = seen(task, base)
    assert messages(commits) == ["One", "Two #done"]
    assert commits[0].parents == (base,)
    assert commits[1].author == "A U Thor <author@example.com>"
    assert not commits[1].is_merge


def test_nothing_happened(task: Repo) -> None:
    tip = task.oid("task")
    assert moves(pygit2.Repository(task.git_dir), REF, tip, tip) is None


def test_hazard_1_merging_main_does_not_bring_other_peoples_words(task: Repo) -> None:
    """Hazard 1."""
    base = task.oid("main")
    task.commit("One", {"x": "1\n"})
    task.git("checkout", "-q", "main")
    task.commit("Other work #done", {"y": "1\n"})
    task.git("checkout", "-q", "task")
    task.git("merge", "-q", "--no-edit", "main")
    commits = seen(task, base, (task.oid("main"),))
    assert messages(commits) == ["One", "Merge branch 'main' into task"]
    assert commits[1].is_merge


def test_hazard_1_a_fast_forward_to_main_brings_nothing(task: Repo) -> None:
    base = task.oid("main")
    task.git("checkout", "-q", "main")
    task.commit("Other work #done", {"y": "1\n"})
    task.git("checkout", "-q", "task")
    task.git("merge", "-q", "--ff-only", "main")
    assert seen(task, base, (task.oid("main"),)) == ()


def test_hazard_3_a_commit_stays_ours_when_another_branch_merges_it_first(task: Repo) -> None:
    """Hazard 3."""
    base = task.oid("main")
    task.commit("Ours #done", {"x": "1\n"})
    task.git("checkout", "-q", "-b", "rival", "main")
    task.git("merge", "-q", "--ff-only", "task")
    repo = pygit2.Repository(task.git_dir)
    ours = moves(repo, REF, base, task.oid("task"), [base, task.oid("rival")])
    theirs = moves(repo, "refs/heads/rival", base, task.oid("rival"), [base, task.oid("task")])
    assert isinstance(ours, Advanced)
    assert isinstance(theirs, Advanced)
    assert messages(ours.commits) == ["Ours #done"]
    assert theirs.commits == ()


def test_a_helper_branch_fast_forwarded_into_the_task_counts(task: Repo) -> None:
    base = task.oid("main")
    task.git("checkout", "-q", "-b", "helper")
    task.commit("Helper #done", {"x": "1\n"})
    task.git("checkout", "-q", "task")
    task.git("merge", "-q", "--ff-only", "helper")
    assert messages(seen(task, base, (base,))) == ["Helper #done"]


def test_creation_brings_only_what_no_other_branch_has(task: Repo) -> None:
    task.commit("One", {"x": "1\n"})
    assert messages(seen(task, None, (task.oid("main"),))) == ["One"]
    assert seen(task, None) == ()


def test_deletion(task: Repo) -> None:
    tip = task.oid("task")
    assert moves(pygit2.Repository(task.git_dir), REF, tip, None) == Deleted(tip)


def rewritten(repo: Repo, old: str) -> Rewritten:
    move = moves(pygit2.Repository(repo.git_dir), REF, old, repo.oid("task"), [repo.oid("main")])
    assert isinstance(move, Rewritten)
    return move


def test_amend(task: Repo) -> None:
    base = task.oid("main")
    old = task.commit("One", {"x": "1\n"})
    task.git("commit", "-q", "--amend", "-m", "One, better #done")
    move = rewritten(task, old)
    assert move.kind == "amend"
    assert move.merge_base == base
    assert messages(move.new_commits) == ["One, better #done"]


def test_amend_and_a_commit_after_it(task: Repo) -> None:
    old = task.commit("One", {"x": "1\n"})
    task.git("commit", "-q", "--amend", "-m", "Better")
    task.commit("Two", {"x": "2\n"})
    move = rewritten(task, old)
    assert move.kind == "amend"
    assert messages(move.new_commits) == ["Better", "Two"]


def test_rebase(task: Repo) -> None:
    task.commit("One", {"x": "1\n"})
    old = task.commit("Two", {"x": "2\n"})
    task.git("checkout", "-q", "main")
    task.commit("Other #done", {"y": "1\n"})
    task.git("checkout", "-q", "task")
    task.git("rebase", "-q", "main")
    move = rewritten(task, old)
    assert move.kind == "rebase"
    assert messages(move.new_commits) == ["One", "Two"]


def test_reset(task: Repo) -> None:
    base = task.oid("main")
    old = task.commit("One", {"x": "1\n"})
    task.git("reset", "-q", "--hard", base)
    move = rewritten(task, old)
    assert (move.kind, move.merge_base, move.new_commits) == ("reset", base, ())


def test_force(task: Repo) -> None:
    task.commit("One", {"x": "1\n"})
    old = task.commit("Two", {"x": "2\n"})
    task.git("checkout", "-q", "--orphan", "elsewhere")
    task.git("commit", "-q", "-m", "Unrelated", "--date=2001-01-01T00:00:00Z")
    task.git("branch", "-f", "task")
    move = rewritten(task, old)
    assert (move.kind, move.merge_base) == ("force", None)
    assert messages(move.new_commits) == ["Unrelated"]


def test_an_old_commit_that_gc_took_is_a_rewrite(task: Repo) -> None:
    old = task.commit("One", {"x": "1\n"})
    task.git("reset", "-q", "--hard", "main")
    task.commit("Two", {"x": "2\n"})
    task.git("reflog", "expire", "--expire=now", "--all")
    task.git("gc", "-q", "--prune=now")
    move = rewritten(task, old)
    assert (move.kind, move.merge_base) == ("force", None)
    assert messages(move.new_commits) == ["Two"]


def test_descends(task: Repo) -> None:
    base, tip = task.oid("main"), task.commit("One")
    repo = pygit2.Repository(task.git_dir)
    assert descends(repo, base, tip)
    assert descends(repo, tip, tip)
    assert not descends(repo, tip, base)
    assert not descends(repo, "0" * 39 + "1", tip)


def test_the_history_of_a_shallow_clone_ends_quietly(repo: Repo, tmp_path: Path) -> None:
    repo.commit("Second #done")
    clone = Repo(tmp_path / "shallow")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", clone.path)
    move = moves(
        pygit2.Repository(clone.git_dir), "refs/heads/main", "0" * 39 + "1", clone.oid("main"), ()
    )
    assert move == Rewritten(RefChange.FORCE, "0" * 39 + "1", clone.oid("main"), None, ())
    tip = clone.oid("main")
    created = moves(pygit2.Repository(clone.git_dir), "refs/heads/x", None, tip, [tip])
    assert created == Created(tip, ())


@pytest.mark.parametrize("encoding", ["latin-1", "no-such-encoding"])
def test_a_message_in_a_strange_encoding_is_read(task: Repo, encoding: str) -> None:
    base = task.oid("main")
    task.git("config", "i18n.commitEncoding", encoding)
    task.git("commit", "-q", "--allow-empty", "-m", "Caf\udce9 #done")
    assert "#done" in seen(task, base)[0].message
