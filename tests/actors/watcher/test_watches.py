"""One watch a repository, shared.

Who listens hears of every change, and only from when it listens until it leaves.
"""

import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.git.reading.refs import RefScanner
from actors.git.watching.directories import ANYTHING
from actors.platform.loop import EventLoop
from actors.watcher.watches import News, Watches

WAIT = 30.0
Heard = queue.SimpleQueue[News | None]


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture
def git_dir(tmp_path: Path) -> str:
    git("init", "-q", "-b", "main", str(tmp_path / "repo"))
    path = tmp_path / "repo"
    git("-C", str(path), "commit", "-q", "--allow-empty", "-m", "First")
    git("-C", str(path), "branch", "a")
    git("-C", str(path), "branch", "b")
    return str(path / ".git")


def git(*args: str) -> None:
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b", *args], check=True)


def commit_to(git_dir: str, branch: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@b"]
    tree = ["commit-tree", "-p", branch, "-m", "More", f"{branch}^{{tree}}"]
    made = subprocess.check_output(["git", "-C", git_dir, *who, *tree], text=True)
    git("-C", git_dir, "update-ref", f"refs/heads/{branch}", made.strip())


def until(heard: Heard, name: str) -> list[News | None]:
    seen = []
    while True:
        seen.append(heard.get(timeout=WAIT))
        if name in (seen[-1] or ()):
            return seen


def settle(loop: EventLoop) -> None:
    """What the kernel has said so far is told when this returns."""
    done = threading.Event()
    loop.post(lambda: loop.post(done.set))
    assert done.wait(WAIT)


def test_all_who_listen_hear_the_name_of_what_moved(loop: EventLoop, git_dir: str) -> None:
    watches, one, two = Watches(loop), Heard(), Heard()
    watches.listen(git_dir, "one", one.put)
    watches.listen(git_dir, "two", two.put)
    commit_to(git_dir, "a")
    for heard in (one, two):
        for names in until(heard, "refs/heads/a"):
            assert names == {"refs/heads/a": ""}


def test_there_is_one_handle_however_many_listen(loop: EventLoop, git_dir: str) -> None:
    watches = Watches(loop)
    before = len(list(Path("/dev/fd").iterdir()))
    for number in range(20):
        watches.listen(git_dir, number, lambda _: None)
    assert len(list(Path("/dev/fd").iterdir())) <= before + 1 + 10  # kqueue: one a directory
    for number in range(20):
        watches.leave(git_dir, number)
    settle(loop)
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_who_leaves_hears_no_more_and_the_others_go_on(loop: EventLoop, git_dir: str) -> None:
    watches, gone, stays = Watches(loop), Heard(), Heard()
    watches.listen(git_dir, "gone", gone.put)
    watches.listen(git_dir, "stays", stays.put)
    watches.leave(git_dir, "gone")
    watches.leave(git_dir, "gone")
    commit_to(git_dir, "b")
    until(stays, "refs/heads/b")
    assert gone.empty()


def test_one_that_joins_misses_nothing_from_then_on(loop: EventLoop, git_dir: str) -> None:
    watches = Watches(loop)
    watches.listen(git_dir, "first", lambda _: None)
    for number in range(20):
        heard = Heard()
        watches.listen(git_dir, number, heard.put)
        before = RefScanner(git_dir).look(["refs/heads/a"], [])
        commit_to(git_dir, "a")
        until(heard, "refs/heads/a")
        assert RefScanner(git_dir).look(["refs/heads/a"], []) != before


def test_a_repository_that_is_taken_away_is_told_and_can_be_listened_to_anew(
    loop: EventLoop, git_dir: str, tmp_path: Path
) -> None:
    watches, heard, copy = Watches(loop), Heard(), tmp_path / "copy"
    shutil.copytree(git_dir, copy)
    watches.listen(git_dir, "who", heard.put)
    shutil.rmtree(git_dir)
    while heard.get(timeout=WAIT) is not None:
        pass
    with pytest.raises(FileNotFoundError):
        RefScanner(git_dir).look(["refs/heads/a"], [])
    with pytest.raises(FileNotFoundError):
        watches.listen(git_dir, "who", heard.put)
    shutil.copytree(copy, git_dir)
    watches.listen(git_dir, "who", heard.put)
    commit_to(git_dir, "a")
    until(heard, "refs/heads/a")


def test_a_worktree_or_packed_refs_may_be_anything(loop: EventLoop, git_dir: str) -> None:
    watches, heard = Watches(loop), Heard()
    watches.listen(git_dir, "who", heard.put)
    git("-C", git_dir, "pack-refs", "--all")
    until(heard, ANYTHING)
    git("-C", git_dir, "worktree", "add", "-q", str(Path(git_dir).parent.parent / "tree"), "a")
    until(heard, ANYTHING)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not name the branch")
def test_a_new_directory_of_branches_tells_its_branches_alone(
    loop: EventLoop, git_dir: str
) -> None:
    """The watchers of a hundred other plans on the repository need no new look for it.

    A branch may be told twice: in the list of its new directory, and in the change that made it.
    """
    watches, heard = Watches(loop), Heard()
    watches.listen(git_dir, "who", heard.put)
    made: set[str] = set()
    for name in ("plan/t0", "plan/deep/er", "plan/deep/later"):
        made.add(f"refs/heads/{name}")
        git("-C", git_dir, "branch", name)
        for names in until(heard, f"refs/heads/{name}"):
            assert set(names or (ANYTHING,)) <= made
