"""Commits are told exactly once, whatever git does and wherever the runtime was meanwhile.

Through the doors, with real repositories.
"""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus import connection
from bus.subscriber import Subscriber
from tests.doors.kit import Home, coder, plan_text
from tests.repositories import git

BRANCHES, EACH = 20, 50


class Watched:
    """A workflow whose agents sleep, while the test plays with their branches."""

    def __init__(self, home: Home, repo: Path, place: Path, tasks: list[str]) -> None:
        self.home = home
        self.repo = repo
        home.serve()
        path = place / "plan.toml"
        sleeping = {id: [coder("@ sleep 3600\n")] for id in tasks}
        path.write_text(plan_text(repo, sleeping, head=f"max_terminals = {len(tasks)}"))
        home.json("submit", str(path))
        home.ok("prepare", "demo")
        home.ok("start", "demo")
        self.worktrees = {id: home.path / "worktrees" / "demo" / id for id in tasks}
        served = connection.read(home.path)
        self.subscriber = Subscriber(served.feed, served.requests, address="demo")
        self.facts: list[dict[str, Any]] = []

    def until(self, **wanted: Any) -> None:
        """Until a fact with these fields has come, now or before."""
        while not any(wanted.items() <= fact.items() for fact in self.facts):
            fact = self.subscriber.next(30)
            assert fact is not None, f"{wanted} never came; last {self.facts[-3:]}"
            self.facts.append(msgspec.to_builtins(fact))

    def told(self, task: str) -> list[tuple[str, str]]:
        """What was told of a task's branch, in order: commits, and what became of the ref."""
        names = {"commit.seen": "commit", "ref.rewritten": "kind"}
        return [
            (fact["type"], fact[names[fact["type"]]])
            for fact in self.facts
            if fact["type"] in names and fact["address"] == task
        ]


@pytest.fixture
def watched(home: Home, repo: Path, tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(home, repo, tmp_path, ["a"])
    yield watched
    watched.subscriber.close()


class Player:
    """Does to the branch what users do, and notes what must be told of it."""

    def __init__(self, watched: Watched, while_down: bool) -> None:
        self.watched = watched
        self.worktree = watched.worktrees["a"]
        self.while_down = while_down
        self.wanted: list[tuple[str, str]] = []

    def git(self, *words: str) -> str:
        return git(self.worktree, *words)

    def tip(self) -> str:
        return git(self.watched.repo, "rev-parse", "feat/a")

    def commit(self, name: str) -> str:
        (self.worktree / name).write_text(name)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", name)
        return self.tip()

    def __enter__(self) -> None:
        if self.while_down:
            self.watched.home.kill()

    def __exit__(self, *_: object) -> None:
        if self.while_down:
            self.watched.home.serve()

    def seen(self, *commits: str) -> None:
        self.wanted += [("commit.seen", commit) for commit in commits]
        for commit in commits:
            self.watched.until(type="commit.seen", commit=commit)

    def rewritten(self, kind: str, new: str, *commits: str) -> None:
        self.wanted.append(("ref.rewritten", kind))
        self.watched.until(type="ref.rewritten", kind=kind, new=new)
        self.seen(*commits)


@pytest.mark.parametrize("while_down", [False, True], ids=["served", "down"])
def test_whatever_git_does_to_a_branch_is_told_once(watched: Watched, while_down: bool) -> None:
    player = Player(watched, while_down)
    repo = watched.repo
    with player:
        first = player.commit("one")
    player.seen(first)
    with player:
        player.git("commit", "-q", "--amend", "-m", "one, better")
        amended = player.tip()
    player.rewritten("amend", amended, amended)
    with player:
        second = player.commit("two")
    player.seen(second)
    with player:
        third = player.commit("three")
    player.seen(third)
    with player:
        player.git("reset", "-q", "--hard", second)
    player.rewritten("reset", second)
    with player:
        (repo / "elsewhere").write_text("x")
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "main moves")
        player.git("rebase", "-q", "main")
        rebased = player.git("rev-list", "--reverse", "main..HEAD").split()
    assert len(rebased) == 2
    player.rewritten("rebase", rebased[-1], *rebased)
    with player:
        base = git(repo, "rev-parse", "main~1")
        story = ["commit-tree", "-p", base, "-m", "another story", f"{base}^{{tree}}"]
        forced = git(repo, "-c", "user.email=another@example.org", *story)
        git(repo, "update-ref", "refs/heads/feat/a", forced)
    player.rewritten("force", forced, forced)
    with player:
        git(repo, "update-ref", "-d", "refs/heads/feat/a")
    player.rewritten("deleted", "")
    with player:
        git(repo, "update-ref", "refs/heads/feat/a", forced)
    player.rewritten("created", forced)
    with player:
        git(repo, "pack-refs", "--all")
        git(repo, "gc", "--quiet", "--prune=now")
        player.git("reset", "-q", "--hard")
        last = player.commit("last")
    player.seen(last)
    with player:
        pass  # once more, with nothing new
    assert watched.told("demo/a/") == player.wanted
    assert [tuple(f) for f in _told(watched.home, "demo/a/")] == player.wanted


def _told(home: Home, task: str) -> list[tuple[str, str]]:
    return [
        (f["type"], str(f.get("commit") or f.get("kind")))
        for f in home.facts(task)
        if f["address"] == task and f["type"] in ("commit.seen", "ref.rewritten")
    ]


class Storm:
    """A thousand commits over twenty branches in about a second, as one `git fast-import`.

    Each round is a commit on every branch, and moves all the refs.
    """

    def __init__(self, repo: Path, ids: list[str]) -> None:
        self._ids = ids
        self._base = git(repo, "rev-parse", "main")
        self._half = threading.Event()
        self.seconds = 0.0
        self._import = subprocess.Popen(
            ["git", "fast-import", "--quiet", "--force"], cwd=repo, stdin=subprocess.PIPE
        )
        self._thread = threading.Thread(target=self._blow)

    def begin(self, stop_halfway: bool) -> None:
        """Return at once. Halfway it may wait for `go_on`."""
        if not stop_halfway:
            self._half.set()
        self._thread.start()

    def go_on(self) -> None:
        """The second half comes now."""
        self._half.set()

    def is_over(self) -> bool:
        return self._import.poll() is not None

    def wait(self) -> None:
        self._thread.join()
        assert self._import.wait(60) == 0

    def _blow(self) -> None:
        stdin = self._import.stdin
        assert stdin is not None
        for rounds in (range(EACH // 2), range(EACH // 2, EACH)):
            self._half.wait(60 if rounds.start else 0)
            began = time.monotonic()
            for number in rounds:
                stdin.write(self._round(number).encode())
                stdin.flush()
            if rounds.start:
                stdin.close()
                self._import.wait(60)
            self.seconds += time.monotonic() - began

    def _round(self, number: int) -> str:
        lines = []
        for id in self._ids:
            lines += [
                f"commit refs/heads/feat/{id}",
                f"committer Storm <storm@example.org> {1_700_000_000 + number} +0000",
                "data <<.",
                f"{id} {number}",
                ".",
                f"from {self._base}" if number == 0 else "",
                "",
            ]
        return "\n".join([*lines, "checkpoint", "", ""])


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", [0, 2], ids=["served", "killed"])
def test_a_thousand_commits_in_a_second_over_twenty_branches_are_told_once_each(
    home: Home, repo: Path, tmp_path: Path, kills: int
) -> None:
    """Killed.

    Once in the middle of the storm, which goes on meanwhile, and once while the next runtime reads
    what it missed. Hazard 1.
    """
    ids = [f"t{number}" for number in range(BRANCHES)]
    watched = Watched(home, repo, tmp_path, ids)
    try:
        storm = Storm(repo, ids)
        storm.begin(stop_halfway=kills > 0)
        watched.until(type="commit.seen")
        if kills:
            storm.go_on()
            home.kill()
            assert not storm.is_over(), "it was to be killed in the middle"
            home.serve()
            known = len(watched.facts)
            while not any(f["type"] == "commit.seen" for f in watched.facts[known:]):
                fact = watched.subscriber.next(30)
                assert fact is not None
                watched.facts.append(msgspec.to_builtins(fact))
            home.kill()
        storm.wait()
        if kills:
            git(repo, "pack-refs", "--all")
            home.serve()
        base = git(repo, "rev-parse", "main")
        made = {id: git(repo, "rev-list", "--reverse", f"{base}..feat/{id}").split() for id in ids}
        for id in ids:
            watched.until(type="commit.seen", commit=made[id][-1])
        facts = home.facts()
    finally:
        watched.subscriber.close()
    seen = [f for f in facts if f["type"] == "commit.seen"]
    assert sum(map(len, made.values())) == len(seen) == BRANCHES * EACH == 1_000
    assert max(Counter(f["commit"] for f in seen).values()) == 1
    for id in ids:
        mine = [f["commit"] for f in seen if f["address"] == f"demo/{id}/"]
        assert mine == made[id], "all of them, in their order, on their own branch"
    assert not [f for f in facts if f["type"] in ("ref.rewritten", "commit.rejected")]
    assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1))
    told = [f["seq"] for f in watched.facts]
    assert told == sorted(set(told)), "and so the subscriber had them"
    print(f"{len(seen)} commits in {storm.seconds:.2f} s")
