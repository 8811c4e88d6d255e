"""A ref is renamed into place: the time until a subscriber has received the durable fact.

One reference is the wake-up of a bare inotify handle at the same rename, the other a poll of the
ref every 2 s.
"""

import select
import threading
import time
from pathlib import Path

import pygit2
from inotify_simple import INotify, flags

from bench.company import WHO, Company
from bench.table import Row, at_most, disk, percentile, within
from bus import connection
from bus.facts import CommitSeen
from bus.status import WorkflowStatus
from bus.subscriber import Subscriber

POLL_SECONDS = 2.0


class Branch:
    """A branch of a watched workflow, and the moment of its last rename."""

    def __init__(self, git_dir: Path, ref: str) -> None:
        self.git_dir = git_dir
        self.repo = pygit2.Repository(str(git_dir))
        self.ref = ref
        self.tip = self.repo.references[self.ref].peel(pygit2.Commit)
        self.minute = int(time.time())
        self.moved_at = 0.0

    def commit(self) -> str:
        """Make a commit a minute after the last, as agents make them; return its id.

        It is made as git does it: the object, then the ref's lock file, then its rename, at which
        the clock starts.
        """
        self.minute += 60
        who = pygit2.Signature(WHO.name, WHO.email, self.minute, 0)
        oid = self.repo.create_commit(None, who, who, "Go on", self.tip.tree_id, [self.tip.id])
        self.tip = self.repo[oid].peel(pygit2.Commit)
        path = self.git_dir / self.ref
        lock = path.with_name(f"{path.name}.lock")
        lock.write_text(f"{oid}\n")
        time.sleep(0.001)  # so that a thread woken by the lock file sleeps again
        self.moved_at = time.perf_counter()
        lock.rename(path)
        return str(oid)


def ours(branch: Branch, subscriber: Subscriber) -> float:
    """Return the milliseconds from the rename to the fact."""
    oid = branch.commit()
    while fact := subscriber.next(30.0):
        if isinstance(fact, CommitSeen) and fact.commit == oid:
            return (time.perf_counter() - branch.moved_at) * 1e3
    raise TimeoutError(oid)


class Bare:
    """A thread that waits for the rename and notes the time."""

    def __init__(self, branch: Branch) -> None:
        self.inotify = INotify()
        self.inotify.add_watch((branch.git_dir / branch.ref).parent, flags.MOVED_TO)
        self.woken = threading.Event()
        self.woken_at = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            select.select([self.inotify.fileno()], [], [])
            self.woken_at = time.perf_counter()
            self.inotify.read(timeout=0)
            self.woken.set()


def polled(branch: Branch, wait: float) -> float:
    """Return the milliseconds from the rename to the poll that sees it.

    The poller has just looked, and looks every 2 s. The commit is made `wait` seconds after that.
    """
    due = time.monotonic() + POLL_SECONDS
    path = branch.git_dir / branch.ref
    time.sleep(wait)
    oid = branch.commit()
    time.sleep(max(0.0, due - time.monotonic()))
    while path.read_text().strip() != oid:
        time.sleep(POLL_SECONDS)
    return (time.perf_counter() - branch.moved_at) * 1e3


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the time from a rename to the fact, and both references."""
    rounds, count, polls = (3, 20, 3) if quick else (7, 50, 7)
    mine: list[float] = []
    raw: list[float] = []
    with Company(at) as company:
        company.hire(1, ["cat"], WorkflowStatus.RUNNING)
        company.serve()
        branch = Branch(company.root / "repo0" / ".git", "refs/heads/w0/t0")
        served = connection.read(company.home)
        subscriber = Subscriber(served.feed, served.requests)
        while subscriber.next(1.0) is not None:
            pass
        bare = Bare(branch)
        for number in range(rounds * count):
            bare.woken.clear()
            taken = ours(branch, subscriber)
            bare.woken.wait()
            if number >= 5:
                mine.append(taken)
                raw.append((bare.woken_at - branch.moved_at) * 1e3)
            time.sleep(0.002)
        poll = [polled(branch, POLL_SECONDS * (n + 0.5) / polls) for n in range(polls)]
        subscriber.close()
    p50, p99 = percentile(mine, 0.5), percentile(mine, 0.99)
    raw50, raw99 = percentile(raw, 0.5), percentile(raw, 0.99)
    note = disk(at)
    what = "ref rename to fact in hand"
    return [
        within(f"{what}, p50", "ms", p50, raw50, 3, "bare inotify at the same rename", note),
        at_limit(f"{what}, p99", p99, raw99, note),
        at_most(f"{what}, p50", "ms", (p50, percentile(poll, 0.5)), 1 / 300, "a 2 s poll"),
    ]


def at_limit(what: str, ours: float, raw: float, note: str) -> Row:
    """Return the row of a time that may take 15 ms at most."""
    against = "bare inotify at the same rename"
    return Row(what, "ms", ours, raw, against, ours / raw, "<= 15 ms", ours <= 15, note)
