"""Repositories with any bytes are read, and facts of them can be stored and sent.

The bytes are in names, dates, encodings, sizes, control characters, reflogs and file names.
"""

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pygit2
import pytest

from actors.git.reading.commits import read
from actors.git.reading.examination import TWICE, Examination
from actors.git.reading.graph import descends
from actors.git.reading.history import Advanced, Rewritten, moves
from actors.git.running.names import shown
from actors.git.trees import worktrees
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
