"""A repository of 100,000 files with ten tasks: worktrees, tidying, and a commit meanwhile.

The references are `git worktree add` and `git worktree remove`, ten times each, in a clone of the
same files. Each begins after a `sync`, because what others left to be written slows it down. The
commits go on beside them, too: each is synced, and that slows down whoever writes to the same disk.
"""

import os
import subprocess
import threading
import time
from pathlib import Path

from bench.plans import Office, plan_text
from bench.refs import Branch
from bench.refs import ours as told
from bench.table import Row, at_most, percentile
from bus import connection
from bus.facts import WorkflowMoved
from bus.status import WorkflowStatus
from bus.subscriber import Subscriber
from store.reader import Reader

TASKS = 10


def fill(repo: Path, files: int) -> None:
    """Commit this many small files, a hundred in a directory."""
    lines = ["commit refs/heads/main", "committer A <a@b> 1 +0000", "data 5", "many", ""]
    lines += ["from refs/heads/main^0"]
    stream = ["\n".join(lines) + "\n"]
    for number in range(files):
        text = f"file {number}\n" * 8
        name = f"d{number // 10_000}/e{number // 100 % 100}/f{number % 100}.txt"
        stream.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}\n")
    git(repo, "fast-import", "--quiet", "--force", stdin="".join(stream))
    git(repo, "reset", "-q", "--hard", "main")


def git(repo: Path, *words: str, stdin: str | None = None) -> None:
    """Run git in the repository."""
    subprocess.run(["git", *words], cwd=repo, check=True, input=stdin, text=True)


def bare_add(repo: Path, place: Path) -> float:
    """Return the seconds of ten times `git worktree add`."""
    began = time.perf_counter()
    for number in range(TASKS):
        git(repo, "worktree", "add", "-q", "-b", f"{place.name}{number}", str(place / f"w{number}"))
    return time.perf_counter() - began


def bare_remove(repo: Path, place: Path) -> float:
    """Return the seconds of ten times `git worktree remove`."""
    began = time.perf_counter()
    for number in range(TASKS):
        git(repo, "worktree", "remove", str(place / f"w{number}"))
    return time.perf_counter() - began


class Teller(threading.Thread):
    """Commits again and again on one branch, and takes the time until each fact."""

    def __init__(self, office: Office, git_dir: Path, ref: str) -> None:
        super().__init__(daemon=True)
        self.taken: list[float] = []
        """In milliseconds."""
        self._branch = Branch(git_dir, ref)
        self._office = office
        self._over = threading.Event()

    def run(self) -> None:
        """Commit until `end`."""
        served = connection.read(self._office.company.home)
        subscriber = Subscriber(served.feed, served.requests)
        while subscriber.next(0.5) is not None:
            pass
        while not self._over.wait(0.2):
            self.taken.append(told(self._branch, subscriber))
        subscriber.close()

    def end(self) -> None:
        """Stop."""
        self._over.set()
        self.join()


def until(office: Office, id: str, status: WorkflowStatus) -> None:
    """Wait until a workflow has this status."""
    for fact in office.facts(600.0):
        match fact:
            case WorkflowMoved(address=at, new=new) if at == f"{id}/" and new is status:
                return
            case WorkflowMoved(new=WorkflowStatus.FAILED):
                raise RuntimeError(fact.reason)


def prepare(office: Office, id: str, tasks: int) -> float:
    """Submit and prepare a plan; return the seconds until its programs are ready."""
    office.submit(plan_text(id, office.repo, tasks, f"max_terminals = {tasks}"))
    began = time.perf_counter()
    office.call("workflow.prepare", workflow=id)
    until(office, id, WorkflowStatus.READY)
    return time.perf_counter() - began


def tidied(office: Office, id: str) -> float:
    """Return the seconds from the landing until all worktrees are gone."""
    office.call("workflow.start", workflow=id)
    until(office, id, WorkflowStatus.COMPLETED)
    began = time.perf_counter()
    reader = Reader(office.company.home / "callboard.db")
    while id in reader.unfinished_ids():
        time.sleep(0.02)
    reader.close()
    return time.perf_counter() - began


def run(at: Path, quick: bool) -> list[Row]:
    """Measure worktrees, tidying, and commits beside both, in a large repository."""
    files = 10_000 if quick else 100_000
    reference = at / "reference"
    with Office(at / "office") as office:
        fill(office.repo, files)
        git(at, "clone", "-q", str(office.repo), str(reference))
        prepare(office, "beside", 1)
        teller = Teller(office, Path(office.git_dir), "refs/heads/beside/t0")
        teller.start()
        os.sync()
        add = bare_add(reference, at / "one")
        os.sync()
        before = len(teller.taken)
        prepared = prepare(office, "large", TASKS)
        gone = tidied(office, "large")
        commits = teller.taken[before:]
        os.sync()
        remove = bare_remove(reference, at / "one")
        teller.end()
    p50, p90 = percentile(commits, 0.5), percentile(commits, 0.9)
    many = f"{TASKS} worktrees of {files:,} files"
    told_row = Row(
        f"a commit told beside both, {len(commits)} commits, p90",
        "ms",
        p90,
        p50,
        "its median",
        p90 / p50,
        "< 100 ms",
        p90 < 100.0,
    )
    return [
        at_most(f"{many}, and their programs ready", "s", (prepared, add), 1.1, "git worktree add"),
        at_most(f"tidying {many}", "s", (gone, remove), 1.1, "git worktree remove"),
        told_row,
    ]
