"""The feed is a cache of the journal.

Whoever follows it ends with the same facts, however slow, late or restarted he is, and whatever
happens to the runtime meanwhile.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from bus import connection
from bus.connection import Connection
from bus.context import Context
from bus.subscriber import Subscriber
from tests.doors.kit import Home, coder, commit, done, plan_text
from tests.repositories import git

STORM = 150


class Follower(threading.Thread):
    """A subscriber in a thread of its own; it reads until it has had the fact `until`."""

    def __init__(self, at: Connection, pause: float = 0.0, restart_every: int = 0) -> None:
        super().__init__(daemon=True)
        self._at = at
        self._pause = pause
        self._restart_every = restart_every
        self._until = threading.Event()
        self._last = 0
        self.facts: list[Any] = []

    def run(self) -> None:
        subscriber = Subscriber(self._at.feed, self._at.requests)
        while not (self._until.is_set() and self._seq >= self._last):
            fact = subscriber.next(0.2)
            if fact is None:
                continue
            self.facts.append(msgspec.to_builtins(fact))
            time.sleep(self._pause)
            if self._restart_every and len(self.facts) % self._restart_every == 0:
                seq = self.facts[-1]["seq"]
                subscriber.close()
                subscriber = Subscriber(self._at.feed, self._at.requests, after=seq)
        subscriber.close()

    @property
    def _seq(self) -> int:
        return self.facts[-1]["seq"] if self.facts else 0

    def had(self, last: int) -> list[Any]:
        self._last = last
        self._until.set()
        self.join(30)
        assert not self.is_alive(), f"{len(self.facts)} of {last} facts"
        return self.facts


@pytest.fixture
def never_reads() -> Iterator[Callable[[str], None]]:
    """Join a feed, and never read from it."""
    context = Context()

    def join(feed: str) -> None:
        socket = context.socket(zmq.SUB)
        socket.subscribe(b"")
        socket.connect(feed)

    yield join
    context.destroy(linger=0)


def test_all_followers_end_with_the_same_facts_over_crashes_of_the_runtime(
    home: Home, repo: Path, tmp_path: Path, never_reads: Callable[[str], None]
) -> None:
    """Hazard 26."""
    home.serve()
    at = connection.read(home.path)
    never_reads(at.feed)
    followers = [Follower(at), Follower(at, pause=0.02), Follower(at, restart_every=7)]
    for follower in followers:
        follower.start()
    storm = f"$ for i in $(seq {STORM}); do git commit -q --allow-empty -m $i; done\n"
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(repo, {"a": [coder(storm + commit("a", "x", "a #done"))]}))
    home.json("submit", str(path))
    home.ok("prepare", "demo")
    home.kill()
    home.serve()
    home.ok("start", "demo")
    home.until(lambda _: len(git(repo, "rev-list", "feat/a").split()) > STORM // 3)
    home.kill()
    home.serve()
    home.until(lambda row: row["status"] == "completed" and row["tidied"])
    late = Follower(at)
    late.start()
    journal = home.facts()
    seen = [f["commit"] for f in journal if f["type"] == "commit.seen"]
    assert len(seen) == len(set(seen)) == STORM + 1
    for follower in [*followers, late]:
        had = follower.had(journal[-1]["seq"])
        assert [f["seq"] for f in had] == [f["seq"] for f in journal]
        assert had == journal


def test_compaction_keeps_seq_replay_and_snapshot_right_also_over_a_crash(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    home.serve()
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(repo, {"a": [done("a")]}))
    home.ok("up", str(path))
    home.until(lambda row: row["tidied"])
    head = home.facts()[-1]["seq"]
    assert head > 20
    gone = home.json("compact")["removed"]
    assert gone >= head - 3, "all but the runtime's own"
    home.kill()
    home.serve()
    first = home.facts("--after", str(head))
    assert [f["type"] for f in first] == ["runtime.started"]
    assert first[0]["seq"] == head + 1, "no seq is given twice"
    assert home.status() == "completed"
    assert home.json("why", "demo")["facts"] == []
    at = connection.read(home.path)
    follower = Follower(at)
    follower.start()
    path.write_text(plan_text(repo, {"b": [done("b")]}).replace('"demo"', '"second"', 1))
    home.ok("up", str(path))
    home.until(lambda row: row["tidied"], "second")
    journal = home.facts("--after", str(head))
    assert [f["seq"] for f in journal] == list(range(head + 1, journal[-1]["seq"] + 1))
    assert follower.had(journal[-1]["seq"])[-len(journal) :] == journal
    assert home.json("compact")["removed"] > 0
    assert home.json("compact")["removed"] == 0
