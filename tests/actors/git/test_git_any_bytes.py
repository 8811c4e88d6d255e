"""Repositories with any bytes are read, and facts of them can be stored and sent.

The bytes are in names, dates, encodings, sizes, control characters, reflogs and file names.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pygit2
import pytest

from actors.git.landing.intact import damage
from actors.git.landing.land import Landed, land
from actors.git.landing.resolution import check_worktree, materialize
from actors.git.landing.tested import Tree, checkout_tree
from actors.git.merging.merge import Conflict, MergeResult, forecast, merge_branches, plan_merge
from actors.git.reading.commits import read
from actors.git.reading.examination import TWICE, Examination
from actors.git.reading.graph import descends
from actors.git.reading.history import Advanced, Rewritten, moves
from actors.git.reading.identity import CALLBOARD
from actors.git.reading.touched import common_start, touched_since
from actors.git.running.names import shown
from actors.git.trees import worktrees
from actors.git.users import keeping
from actors.git.users.repository import survey
from actors.watcher.commits import Branch, fact_of, utc
from bus.facts import CommitSeen, decode_fact, encode_fact
from tests.repositories import Repo

ME = b"A U Thor <a@example.com> 1 +0000"


def raw(repo: Repo, message: bytes, author: bytes = ME, encoding: bytes | None = None) -> str:
    """Store a commit on `main` byte for byte, as `git` itself would not make it."""
    lines = [b"tree " + repo.oid("HEAD^{tree}").encode(), b"parent " + repo.oid("HEAD").encode()]
    lines += [b"author " + author] if author else []
    lines += [b"committer " + ME] if author else []
    lines += [b"encoding " + encoding] if encoding is not None else []
    done = subprocess.run(
        ["git", "-C", repo.path, "hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
        input=b"\n".join(lines) + b"\n\n" + message,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()


def told(repo: Repo, oid: str) -> CommitSeen:
    """The fact of a commit on a task's branch that began at `main`, as it is stored and read."""
    base = repo.oid("main")
    move = moves(pygit2.Repository(repo.git_dir), "refs/heads/feat/a", base, oid, [base])
    assert isinstance(move, Advanced)
    (commit,) = move.commits
    fact = fact_of(Branch("demo/a/", "feat/a", base, str(repo.path)), commit)
    fact.written = utc(commit.written)
    found = decode_fact(encode_fact(fact))
    assert isinstance(found, CommitSeen)
    return found


@pytest.mark.parametrize(
    "more",
    [
        {"author": b"A <a@b> 253402300800 +0000"},
        {"author": b"A <a@b> 9223372036854775807 +0000"},
        {"author": b"A <a@b> 92233720368547758070 +0000"},
        {"author": b"A <a@b> -62135596801 +0000"},
        {"author": b"A <a@b> 1 +99999999999"},
        {"author": b"A <a@b>"},
        {"author": b"A 1 +0000"},
        {"author": b" <> 1 +0000"},
        {"author": b""},
        {"author": b"Ren\xe9 <r@\xff> 1 +0000"},
        {"author": b"A" * 3_000_000 + b" <a@b> 1 +0000"},
        {"author": b"<" * 100_000 + b" 1 +0000"},
        *({"encoding": name} for name in (b"", b"klingon", b"hex", b"idna", b"undefined", b"a\0b")),
        *({"encoding": name} for name in (b"\xff\xe9", b"utf-7", b"unicode_escape", b"latin-1")),
    ],
    ids=lambda more: ascii(more)[:40],
)
def test_a_commit_of_any_bytes_says_its_word(repo: Repo, more: dict[str, Any]) -> None:
    """Hazard 73."""
    fact = told(repo, raw(repo, b"\\ud800 +2AA- caf\xe9 \x1b]0;x\x07 #done\n", **more))
    assert (fact.verdict, fact.problem) == ("done", "")
    assert len(fact.author) <= 200
    assert "1970-01-01T00:00:00" <= fact.written <= "9999-12-31T23:59:59"


def test_a_message_in_utf_16_is_read(repo: Repo) -> None:
    assert (
        told(repo, raw(repo, "hi #done".encode("utf-16"), encoding=b"utf-16")).subject == "hi #done"
    )


def test_a_message_of_thirty_megabytes_is_refused_with_its_reason(repo: Repo) -> None:
    fact = told(repo, raw(repo, b"x" * 30_000_000 + b" #done"))
    assert "longer than" in fact.problem
    assert len(fact.subject) == 200


@pytest.mark.parametrize("author", [b"A 1 +0000", b""], ids=["no address", "no author"])
def test_history_goes_on_over_a_commit_that_libgit2_cannot_read(repo: Repo, author: bytes) -> None:
    base = repo.oid("main")
    bad = raw(repo, b"bad", author=author)
    good = repo.git("commit-tree", "-p", bad, "-m", "good", "HEAD^{tree}")
    library = pygit2.Repository(repo.git_dir)
    with pytest.raises(pygit2.GitError):
        library[bad]
    assert descends(library, base, good)
    assert not descends(library, good, base)
    move = moves(library, "refs/heads/feat/a", bad, base, [])
    assert isinstance(move, Rewritten)
    assert move.kind == "reset"


def test_an_amend_beside_a_reflog_of_any_bytes(repo: Repo) -> None:
    """The subject of a commit goes into the reflog as it stands: in Latin-1, say. Hazard 73."""
    base = repo.oid("main")
    repo.git("checkout", "-q", "-b", "feat/a")
    command = ["git", "-C", str(repo.path), "-c", "i18n.commitEncoding=latin1", "commit", "-q"]
    subprocess.run([*command, "--allow-empty", "-m", b"caf\xe9"], check=True)
    old = repo.oid("HEAD")
    subprocess.run([*command, "--amend", "--allow-empty", "-m", b"th\xe9"], check=True)
    with (repo.path / ".git/logs/refs/heads/feat/a").open("ab") as log:
        log.write(b"no entry \xff\n")
    move = moves(
        pygit2.Repository(repo.git_dir), "refs/heads/feat/a", old, repo.oid("HEAD"), [base]
    )
    assert isinstance(move, Rewritten)
    assert (move.kind, [c.message for c in move.new_commits]) == ("amend", ["thé\n"])


def test_what_is_no_commit_is_none(repo: Repo) -> None:
    library = pygit2.Repository(repo.git_dir)
    for name in ("HEAD^{tree}", "HEAD:a.txt"):
        assert read(library, repo.oid(name)) is None
    assert read(library, "0" * 39 + "1") is None


def test_a_fact_is_json() -> None:
    assert msgspec.json.decode(encode_fact(CommitSeen(address="a/", branch="b", commit="c")))


@pytest.mark.parametrize("name", ["two\nlines", "caf\udce9", 'a "b" \\ #c;', " \t"])
def test_an_agents_git_finds_the_copied_hooks_in_a_home_of_any_name(
    repo: Repo, tmp_path: Path, name: str
) -> None:
    """Hazard 73. The home's path stands in a file of settings, which git must be able to read."""
    hook = repo.path / ".git/hooks/caf\udce9"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    place = tmp_path / name / "kept"
    kept = keeping.load(place, keeping.keep(repo.git_dir, str(repo.path), place))
    assert kept is not None
    ((_, file),) = keeping.environment(repo.git_dir, place, kept).items()
    asked = ["git", "config", "-z", "--file", file, "core.hooksPath"]
    said = subprocess.run(asked, capture_output=True, check=True).stdout
    assert os.fsdecode(said) == keeping.hooks_path(place, kept) + "\0"


@pytest.mark.parametrize("name", ["Icon\r", "a\rb", "a\nb", "\x85\xe9", "caf\udce9\r0"])
def test_the_objects_of_a_file_of_any_name_are_checked(repo: Repo, name: str) -> None:
    """Hazard 73. macOS makes files that are called `Icon` and a carriage return."""
    old = repo.oid("main")
    new = repo.branch("one", {name: "1\n"})
    assert damage(repo.git_dir, old, new) == ""


@pytest.mark.parametrize("name", ["caf\udce9", "ends with space ", "line\nbreak", "\x1b[31m"])
def test_a_worktree_of_the_users_may_be_anywhere(
    repo: Repo, home: Path, tmp_path: Path, name: str
) -> None:
    """Its path is of any bytes, and stands in files that are read for every branch."""
    place = tmp_path / name / name
    place.parent.mkdir()
    repo.git("worktree", "add", "-q", "-b", "side", place)
    repo.write({"a.txt": "changed\n"}, at=place)
    found = survey(str(repo.path), "side")
    assert found.checkouts == (shown(str(place)),)
    assert found.changed == (shown(str(place / "a.txt")),)
    assert msgspec.json.encode(found)
    path = str(home / "w" / "a")
    made = worktrees.add(
        repo.git_dir, str(home), path, branch="a", base=repo.oid("main"), owner="w"
    )
    assert made.tip == repo.oid("main")
    looks = Examination(str(place))
    looks.look(0.0)
    assert "a.txt" in str(looks.look(TWICE))


WORST = [b"A <a@b> soon +0000", b"A <a@b> 99999999999999999999999 +0000", b"A 1 +0000", b""]


@pytest.mark.parametrize("author", WORST, ids=["no date", "any number", "no address", "nobody"])
def test_a_commit_that_libgit2_cannot_read_is_merged_tested_and_lands(
    repo: Repo, home: Path, author: bytes
) -> None:
    """Hazard 73. It is the target, in the history of a branch, and a branch's tip."""
    target = raw(repo, b"bad target", author=author)
    repo.git("update-ref", "refs/heads/main", target)
    before = repo.branch("one", {"one.txt": "1\n", "a.txt": "ours\n"})
    repo.branch("two", {"two.txt": "2\n", "b.txt": "theirs\n"})
    repo.git("checkout", "-q", "one")
    bad = raw(repo, b"bad tip", author=author)
    repo.git("checkout", "-q", "main")
    repo.git("update-ref", "refs/heads/one", bad)
    survey(str(repo.path), "main")
    assert touched_since(repo.git_dir, target, bad) is None
    assert common_start(repo.git_dir, [repo.oid("two"), bad]) in (None, target)
    assert forecast(repo.git_dir, bad, repo.oid("two")) == ()
    request = plan_merge(repo.git_dir, "main", [("one", ""), ("two", "")], time=1)
    made = merge_branches(request)
    assert isinstance(made, MergeResult)
    names = repo.git("ls-tree", "-r", "--name-only", made.result).split()
    assert names == ["a.txt", "b.txt", "dir/c.txt", "one.txt", "two.txt"]
    tested = str(home / "tested")
    assert isinstance(checkout_tree(repo.git_dir, str(home), tested, made.result), Tree)
    landed = land(repo.git_dir, "main", old=target, new=made.result, message="landed")
    assert isinstance(landed, Landed)
    assert repo.git("status", "--porcelain") == ""
    assert before in repo.git("rev-list", "main").split()


@pytest.mark.parametrize("author", WORST, ids=["no date", "any number", "no address", "nobody"])
def test_a_conflict_with_a_commit_that_libgit2_cannot_read_is_resolved(
    repo: Repo, home: Path, author: bytes
) -> None:
    """Hazard 73."""
    repo.branch("one", {"a.txt": "one\n"})
    repo.git("checkout", "-q", "one")
    repo.git("update-ref", "refs/heads/one", raw(repo, b"bad tip", author=author))
    repo.git("checkout", "-q", "main")
    onto, tip = repo.commit("two", {"a.txt": "two\n"}), repo.oid("one")
    assert isinstance(
        merge_branches(plan_merge(repo.git_dir, "main", [("one", "")], time=1)), Conflict
    )
    path = str(home / "m")
    materialize(
        repo.git_dir, str(home), path, onto=onto, tip=tip, message="Merge", author=CALLBOARD
    )
    repo.commit("Merge #done\n\nDropped: a.txt: ours", {"a.txt": "two\n"}, at=Path(path))
    assert check_worktree(repo.git_dir, path, onto=onto, tip=tip).problems == ()
