import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest

from actors.git.reading import refs
from actors.git.reading.history import Advanced, Created, Deleted, moves
from actors.git.reading.refs import RefScanner, RefState, read_ref
from actors.git.watching import watch as watch_module
from actors.git.watching.directories import ANYTHING
from actors.git.watching.polling import PollingWatch
from actors.git.watching.watch import RefWatch, open_watch
from tests.repositories import Repo

WAIT = 30.0
ZERO = "0" * 40


@pytest.fixture
def watched(repo: Repo) -> Iterator[RefWatch]:
    watch = open_watch(repo.git_dir)
    yield watch
    watch.close()


def wait(watch: RefWatch, seconds: float) -> set[str]:
    """Wait for the descriptor as an event loop would; what may have changed."""
    fileno = watch.fileno()
    if fileno is None:
        assert watch.period is not None
        time.sleep(min(seconds, 0.01))
        return watch.drain()
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return watch.drain() if poll.poll(seconds * 1000) else set()


class Follower:
    """What the git watcher actor does: a cursor for each ref, moved by values."""

    def __init__(self, repo: Repo, watch: RefWatch) -> None:
        self.repo, self.watch = pygit2.Repository(repo.git_dir), watch
        self.scanner = RefScanner(repo.git_dir)
        self.cursors = self.scanner.scan().heads
        self.seen: dict[str, list[str]] = {}
        self.deleted: list[str] = []

    def look(self, names: set[str]) -> None:
        """Only what was named is read; a change that is not named is missed."""
        if ANYTHING in names:
            heads = self.scanner.scan().heads
        else:
            rest = {ref: oid for ref, oid in self.cursors.items() if ref not in names}
            heads = {**rest, **self.scanner.look(names, []).heads}
        for ref in {*heads, *self.cursors}:
            move = moves(self.repo, ref, self.cursors.get(ref), heads.get(ref))
            if isinstance(move, Advanced):
                messages = [commit.message.strip() for commit in move.commits]
                self.seen.setdefault(ref, []).extend(messages)
            elif isinstance(move, Created):
                self.seen.setdefault(ref, [])
            elif isinstance(move, Deleted):
                self.deleted.append(ref)
        self.cursors = heads

    def follow(self, processes: list[subprocess.Popen[bytes]]) -> None:
        """Follow by events alone until the processes have ended and no event is left."""
        while any(process.poll() is None for process in processes):
            if names := wait(self.watch, 0.05):
                self.look(names)
        assert all(process.returncode == 0 for process in processes)
        while names := wait(self.watch, 0):
            self.look(names)


def expect_event(watch: RefWatch) -> None:
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if wait(watch, WAIT):
            return
    raise AssertionError("no event")


def drain_all(watch: RefWatch) -> None:
    while wait(watch, 0):
        pass


def state(repo: Repo) -> RefState:
    return RefScanner(repo.git_dir).scan()


def test_a_quiet_repository_wakes_nobody(repo: Repo, watched: RefWatch) -> None:
    repo.write({"a.txt": "changed\n"})
    repo.git("add", "a.txt")
    repo.git("status")
    repo.git("stash", "create")
    assert not watched.drain()


def test_each_kind_of_change_is_an_event(repo: Repo, watched: RefWatch, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    repo.git("branch", "other")
    drain_all(watched)
    for change in [
        ("commit", "-q", "--allow-empty", "-m", "x"),
        ("branch", "feat/deep/er"),
        ("branch", "-f", "feat/deep/er", "other"),
        ("branch", "-D", "feat/deep/er"),
        ("branch", "-m", "other", "renamed"),
        ("checkout", "-q", "renamed"),
        ("checkout", "-q", "--detach"),
        ("worktree", "add", "-q", "-b", "side", str(linked)),
        ("-C", str(linked), "checkout", "-q", "--detach"),
        ("-C", str(linked), "commit", "-q", "--allow-empty", "-m", "on a detached head"),
        ("worktree", "remove", str(linked)),
        ("worktree", "add", "-q", str(linked), "side"),
        ("pack-refs", "--all"),
        ("branch", "-D", "renamed"),
    ]:
        before = state(repo)
        repo.git(*change)
        expect_event(watched)
        assert state(repo) != before or change[0] == "pack-refs"
        drain_all(watched)


def test_hazard_11_packing_refs_changes_no_value(repo: Repo, watched: RefWatch) -> None:
    """Hazard 11."""
    for number in range(30):
        repo.git("branch", f"feat/{number}")
    before = state(repo)
    repo.git("pack-refs", "--all", "--prune")
    repo.git("gc", "-q")
    assert not list(Path(repo.git_dir, "refs/heads").rglob("*/*"))
    assert state(repo) == before
    drain_all(watched)
    repo.git("branch", "-f", "feat/3", repo.commit("New"))
    expect_event(watched)


def test_a_worktrees_head_is_a_ref_or_a_commit(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", tmp_path / "linked")
    assert state(repo).worktrees == {"linked": "refs/heads/side"}
    assert state(repo).head == "refs/heads/main"
    repo.git("checkout", "-q", "--detach", at=tmp_path / "linked")
    assert state(repo).worktrees == {"linked": repo.oid("main")}


def test_symbolic_and_broken_branches(repo: Repo) -> None:
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    repo.git("symbolic-ref", "refs/heads/loop", "refs/heads/loop")
    repo.git("symbolic-ref", "refs/heads/nowhere", "refs/heads/gone")
    Path(repo.git_dir, "refs/heads/cut").write_text("")
    Path(repo.git_dir, "refs/heads/half.lock").write_text("")
    found = state(repo)
    main = repo.oid("main")
    assert found.heads == {"refs/heads/main": main, "refs/heads/alias": main}
    assert set(found.broken) == {f"refs/heads/{name}" for name in ("loop", "nowhere", "cut")}


def test_a_branch_whose_file_was_emptied_does_not_fall_back_to_what_was_packed(repo: Repo) -> None:
    repo.git("branch", "cut")
    repo.git("pack-refs", "--all")
    repo.git("branch", "-f", "cut", repo.commit("More"))
    Path(repo.git_dir, "refs/heads/cut").write_text("")
    named = RefScanner(repo.git_dir).look(["refs/heads/cut", "refs/heads/main"], []).heads
    assert named == state(repo).heads == {"refs/heads/main": repo.oid("main")}


@pytest.mark.skipif(sys.platform != "linux", reason="the file system wants UTF-8")
def test_a_branch_whose_name_is_not_utf_8_is_told_and_left_alone(repo: Repo) -> None:
    repo.git("branch", "ü")
    repo.git("branch", "bad\udcff")
    assert set(state(repo).heads) == {"refs/heads/main", "refs/heads/ü"}
    assert state(repo).broken == ("refs/heads/bad?",)


def test_one_ref_is_read_wherever_it_lies(repo: Repo) -> None:
    repo.git("branch", "packed")
    repo.git("pack-refs", "--all")
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/packed")
    for name in ("packed", "alias", "main"):
        assert read_ref(repo.git_dir, f"refs/heads/{name}") == repo.oid("main")
    assert read_ref(repo.git_dir, "refs/heads/none") is None
    assert read_ref(repo.git_dir, "refs/heads/pack") is None


def fast_import(repo: Repo, branches: int, commits: int) -> dict[str, list[str]]:
    """Commits on hidden refs; return the object ids for each branch, oldest first."""
    lines = []
    for branch in range(branches):
        for number in range(commits):
            text = f"{branch}/{number}"
            start = "from refs/heads/main^0\n" if number == 0 else ""
            lines.append(
                f"commit refs/pre/{branch}\ncommitter A <a@b> {number} +0000\n"
                f"data {len(text)}\n{text}\n{start}"
            )
    subprocess.run(
        ["git", "-C", repo.path, "fast-import", "--quiet"],
        input="\n".join(lines).encode(),
        check=True,
    )
    return {
        f"refs/heads/storm/{branch}": repo.git(
            "rev-list", "--reverse", f"main..refs/pre/{branch}"
        ).splitlines()
        for branch in range(branches)
    }


def start(repo: Repo, script: str) -> subprocess.Popen[bytes]:
    """A `git update-ref --stdin` that makes each change a transaction of its own."""
    process = subprocess.Popen(
        ["git", "-C", repo.path, "update-ref", "--stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(script.encode())
    process.stdin.close()
    return process


@pytest.mark.parametrize("pack", [False, True])
def test_hazard_1_a_storm_of_1000_commits_over_20_branches(
    repo: Repo, watched: RefWatch, pack: bool
) -> None:
    oids = fast_import(repo, 20, 50)
    for ref in oids:
        repo.git("update-ref", ref, "main")
    follower = Follower(repo, watched)
    steps = [(ref, line[number]) for number in range(50) for ref, line in oids.items()]
    processes = []
    for worker in range(4):
        mine = [step for step in steps if int(step[0].rsplit("/", 1)[1]) % 4 == worker]
        script = "".join(f"start\nupdate {ref} {oid}\nprepare\ncommit\n" for ref, oid in mine)
        processes.append(start(repo, script))
    if pack:
        loop = "for i in 1 2 3 4 5 6 7 8 9 10; do git pack-refs --all || sleep 0.01; done; true"
        processes.append(subprocess.Popen(["sh", "-c", loop], cwd=repo.path, stderr=-3))
    follower.follow(processes)
    assert follower.deleted == []
    for branch in range(20):
        expected = [f"{branch}/{number}" for number in range(50)]
        assert follower.seen[f"refs/heads/storm/{branch}"] == expected


def test_commits_by_real_git_in_parallel_worktrees(
    repo: Repo, watched: RefWatch, tmp_path: Path
) -> None:
    for number in range(4):
        repo.git("worktree", "add", "-q", "-b", f"feat/{number}", tmp_path / f"tree{number}")
    follower = Follower(repo, watched)
    script = 'for i in 0 1 2 3 4 5 6 7 8 9; do git commit -q --allow-empty -m "$i" || exit 1; done'
    follower.follow(
        [subprocess.Popen(["sh", "-c", script], cwd=tmp_path / f"tree{n}") for n in range(4)]
    )
    for number in range(4):
        assert follower.seen[f"refs/heads/feat/{number}"] == [str(i) for i in range(10)]


def test_hazard_12_directories_made_faster_than_their_watch(repo: Repo, watched: RefWatch) -> None:
    """Hazard 12."""
    base = repo.oid("main")
    tip = repo.commit("Tip")
    follower = Follower(repo, watched)
    names = [f"refs/heads/feat/{n}/deep/er/x" for n in range(300)]
    script = "".join(f"start\ncreate {ref} {base}\nprepare\ncommit\n" for ref in names)
    script += "".join(f"start\nupdate {ref} {tip} {base}\nprepare\ncommit\n" for ref in names)
    follower.follow([start(repo, script)])
    for ref in names:
        assert follower.cursors[ref] == tip


def test_branches_deleted_and_made_again(repo: Repo, watched: RefWatch) -> None:
    base = repo.oid("main")
    follower = Follower(repo, watched)
    names = [f"refs/heads/again/{n % 7}/{n}" for n in range(60)]
    step = "start\n{} {} {}\nprepare\ncommit\n"
    one = "".join(
        step.format(verb, ref, base) for ref in names for verb in ("create", "delete", "create")
    )
    follower.follow([start(repo, one)])
    assert {ref for ref in follower.cursors if "again" in ref} == set(names)
    follower.follow([start(repo, "".join(f"delete {ref} {base}\n" for ref in names))])
    assert set(follower.cursors) == {"refs/heads/main"}


@pytest.mark.usefixtures("repo")
@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_an_overflow_of_events_is_a_change_and_everything_is_watched_again(
    watched: RefWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inotify_simple import Event, flags

    from actors.git.watching.inotify import InotifyWatch

    assert isinstance(watched, InotifyWatch)

    drain_all(watched)
    with monkeypatch.context() as patch:
        overflow = Event(-1, flags.Q_OVERFLOW, 0, "")
        patch.setattr(watched._inotify, "read", lambda **_: [overflow])  # noqa: SLF001
        patch.setattr(watched, "_places", {})
        assert watched.drain()
        assert len(watched._places) >= 3  # noqa: SLF001


def test_refs_heads_made_anew_is_watched_again(repo: Repo, watched: RefWatch) -> None:
    heads = Path(repo.git_dir, "refs/heads")
    repo.git("pack-refs", "--all")
    shutil.rmtree(heads)
    heads.mkdir()
    drain_all(watched)
    repo.git("branch", "later")
    expect_event(watched)


@pytest.mark.parametrize("number", [0, 1])
def test_polling_sees_the_same(repo: Repo, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(_git_dir: str) -> RefWatch:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watch_module, "InotifyWatch", refuse, raising=False)
    monkeypatch.setattr(watch_module, "KqueueWatch", refuse, raising=False)
    watch = open_watch(repo.git_dir)
    assert isinstance(watch, PollingWatch)
    assert not watch.drain()
    repo.git("branch", f"feat/{number}")
    assert watch.drain()
    assert not watch.drain()
    watch.close()


def test_a_repository_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_watch(str(tmp_path / "nowhere"))


@pytest.mark.skipif(sys.platform != "linux", reason="inotify's")
@pytest.mark.parametrize("moved", [".git", ".", ".."])
def test_a_repository_that_is_moved_away_is_an_error(tmp_path: Path, moved: str) -> None:
    """The watch would stay with it, whatever is put in its place."""
    repo = Repo(tmp_path / "above/repo")
    repo.path.mkdir(parents=True)
    repo.git("init", "-q", "-b", "main")
    watch = open_watch(repo.git_dir)
    try:
        place = (repo.path / moved).resolve()
        place.rename(place.with_name("elsewhere"))
        with pytest.raises(FileNotFoundError):
            wait(watch, WAIT)
    finally:
        watch.close()


def test_ten_thousand_packed_refs_are_read_once(repo: Repo) -> None:
    main = repo.oid("main")
    script = "".join(f"create refs/heads/many/{n} {main}\n" for n in range(10_000))
    subprocess.run(
        ["git", "-C", repo.path, "update-ref", "--stdin"], input=script.encode(), check=True
    )
    repo.git("pack-refs", "--all")
    scanner = RefScanner(repo.git_dir)
    first = scanner.scan()
    assert len(first.heads) == 10_001
    parsed = scanner._packed  # noqa: SLF001
    assert scanner.scan() == first
    assert scanner._packed is parsed  # noqa: SLF001
    repo.git("branch", "-D", "many/77")
    assert len(scanner.scan().heads) == 10_000


@pytest.mark.parametrize("settled", [2.0, -1e9])
def test_a_ref_that_was_read_before_is_read_again_when_it_was_written(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, settled: float
) -> None:
    """`settled`: what was just written counts as new, or as if it had been written long ago."""
    monkeypatch.setattr(refs, "_SETTLED", settled)
    scanner, ref = RefScanner(repo.git_dir), "refs/heads/a"
    file = Path(repo.git_dir, ref)
    commits = [repo.commit(str(number)) for number in range(3)]
    for number in range(30):
        oid = commits[number % 3]
        file.write_text(f"{oid}\n")
        if settled < 0:
            os.utime(file, (number, number))
        assert scanner.look([ref], []).heads == {ref: oid}
        assert scanner.look([ref], []).heads == {ref: oid}
    file.unlink()
    assert not scanner.look([ref, "refs/heads/main"], []).heads.get(ref)
