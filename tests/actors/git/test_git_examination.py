"""Clean, dirty or unknown: what is answered in the middle of git's work, and after it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.git.reading.examination import LEFT, PATIENCE, TWICE, Clean, Dirty, Examination, Unknown
from tests.repositories import Repo


@pytest.fixture
def looks(repo: Repo) -> Examination:
    return Examination(str(repo.path))


def test_clean_is_answered_at_once(looks: Examination) -> None:
    assert looks.look(0.0) == Clean()


def test_changes_count_when_they_were_seen_twice(repo: Repo, looks: Examination) -> None:
    repo.write({"a.txt": "changed\n"})
    assert isinstance(looks.look(0.0), Unknown)
    assert isinstance(looks.look(TWICE / 2), Unknown)
    repo.write({"b.txt": "changed too\n"})
    assert isinstance(looks.look(TWICE), Unknown), "they are others than before"
    found = looks.look(2 * TWICE)
    assert isinstance(found, Dirty)
    assert "a.txt, b.txt" in found.reason


@pytest.mark.parametrize("changed", [False, True], ids=["clean", "dirty"])
def test_a_lock_that_was_left_is_named_and_stops_no_answer(
    repo: Repo, looks: Examination, changed: bool
) -> None:
    """Hazard 55."""
    lock = repo.path / ".git" / "index.lock"
    lock.touch()
    repo.write({"a.txt": "changed\n"} if changed else {})
    assert isinstance(looks.look(0.0), Unknown)
    looks.look(LEFT)
    found = looks.look(LEFT + TWICE)
    assert isinstance(found, Dirty if changed else Clean)
    assert str(lock) in (found.reason if isinstance(found, Dirty) else found.left)


@pytest.fixture
def editor(repo: Repo, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`git commit -a` with an open editor: it holds the index."""
    repo.write({"a.txt": "changed\n"})
    pipe = tmp_path / "pipe"
    subprocess.run(["mkfifo", pipe], check=True)
    env = {"GIT_EDITOR": f"sh -c 'echo open > {pipe}; read x < {pipe}; echo edited > \"$0\"'"}
    command = ["env", *(f"{k}={v}" for k, v in env.items()), "git", "commit", "-q", "-a"]
    process = subprocess.Popen(command, cwd=repo.path)
    assert pipe.read_text() == "open\n"
    yield process
    process.kill()
    process.wait()


@pytest.mark.usefixtures("repo")
def test_nothing_is_rejected_while_git_is_alive(
    looks: Examination, editor: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    for now in (0.0, LEFT, PATIENCE, PATIENCE + TWICE, 100 * PATIENCE):
        assert isinstance(looks.look(now), Unknown)
    (tmp_path / "pipe").write_text("done\n")
    assert editor.wait(30) == 0
    assert looks.look(100 * PATIENCE) == Clean()


def test_a_git_that_only_reads_is_not_waited_for(repo: Repo, looks: Examination) -> None:
    with subprocess.Popen(
        ["git", "-C", repo.path, "cat-file", "--batch"], stdin=subprocess.PIPE
    ) as reader:
        assert looks.look(0.0) == Clean()
        assert reader.poll() is None
        assert reader.stdin is not None
        reader.stdin.close()


@pytest.mark.parametrize("operation", ["merge", "cherry-pick", "revert", "rebase"])
def test_an_operation_that_stands_is_not_a_clean_end(
    repo: Repo, looks: Examination, operation: str
) -> None:
    """It is stopped at a conflict; the conflict is staged away, and the operation still stands."""
    theirs = repo.branch("side", {"a.txt": "theirs\n"})
    second = repo.commit("Second", {"a.txt": "mine\n"})
    repo.commit("Third", {"a.txt": "mine again\n"})
    what = {"merge": theirs, "cherry-pick": theirs, "revert": second, "rebase": theirs}[operation]
    repo.git(operation, what, check=False)
    repo.git("checkout", "HEAD", "--", ".")
    looks.look(0.0)
    found = looks.look(TWICE)
    assert isinstance(found, Dirty)
    assert operation in found.reason


def test_a_broken_index_is_unknown_and_stays_so(repo: Repo, looks: Examination) -> None:
    index = repo.path / ".git" / "index"
    good = index.read_bytes()
    index.write_bytes(b"no index")
    for now in (0.0, TWICE, PATIENCE, 100 * PATIENCE):
        found = looks.look(now)
        assert isinstance(found, Unknown)
        assert found.failed
    index.write_bytes(good)
    assert looks.look(101 * PATIENCE) == Clean()


def test_line_ends_that_git_would_rewrite_are_no_change(repo: Repo) -> None:
    """`text` came after files with CRLF: git says "modified" of what nobody has touched."""
    repo.commit("CRLF", {"dos.txt": "one\r\ntwo\r\n"})
    repo.write({".gitattributes": "*.txt text eol=crlf\n"})
    repo.git("add", ".gitattributes")
    repo.git("commit", "-q", "-m", "Rewrite line ends")
    file = repo.path / "dos.txt"
    file.write_bytes(file.read_bytes())
    assert "dos.txt" in repo.git("status", "--porcelain")
    assert Examination(str(repo.path)).look(0.0) == Clean()
    file.write_bytes(b"one\r\nthree\r\n")
    looks = Examination(str(repo.path))
    looks.look(0.0)
    assert isinstance(looks.look(TWICE), Dirty)


def test_a_name_that_is_no_text_is_told(repo: Repo, looks: Examination) -> None:
    repo.commit("Odd", {"caf\udce9.txt": "x"})
    repo.write({"caf\udce9.txt": "y"})
    looks.look(0.0)
    found = looks.look(TWICE)
    assert isinstance(found, Dirty)
    assert r"caf\xe9.txt" in found.reason
