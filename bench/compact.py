"""`events.compact` gives the space of finished workflows back to the disk."""

from pathlib import Path

from bench.company import repository
from bench.growth import add_facts
from bench.table import Row, below, seconds
from bus import clock
from bus.plan import Plan, TaskPlan, TerminalPlan
from bus.status import WorkflowStatus
from store import compaction
from store.change import Move, update_workflow
from store.database import create_or_migrate
from store.journal import Journal
from store.reader import Reader
from store.submission import submission

SUFFIXES = ("", "-wal", "-shm")


def megabytes(path: Path) -> float:
    """Return what the database takes on the disk, with its log."""
    files = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    return sum(file.stat().st_blocks * 512 for file in files if file.exists()) / 1e6


def finished(path: Path, git_dir: str) -> None:
    """Make a database with one workflow, `over`, that is cancelled and cleaned up."""
    create_or_migrate(path)
    task = TaskPlan(id="t", branch="t", terminal=[TerminalPlan(cli="claude", instruction="x")])
    plan = Plan(name="over", repo=str(path.parent), task=[task])
    journal = Journal(path, lambda _: None, lambda _: None)
    journal.commit(submission("over", plan, clock.stamp(), git_dir))
    created, cancelled = WorkflowStatus.CREATED, WorkflowStatus.CANCELLED
    journal.commit([Move("workflow", "over/", created, cancelled)])
    journal.commit([update_workflow("over", tidied=True)])
    journal.close()


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the database before and after."""
    facts = 20_000 if quick else 200_000
    path = at / "callboard.db"
    finished(path, repository(at / "repo"))
    journal, reader = Journal(path, lambda _: None, lambda _: None), Reader(path)
    add_facts(path, facts, journal.head + 1, ["over"])
    journal.close()
    journal = Journal(path, lambda _: None, lambda _: None)
    before = megabytes(path)
    removed = 0

    def compact() -> None:
        nonlocal removed
        removed = compaction.compact(journal, reader)

    taken = seconds(compact)
    after = megabytes(path)
    journal.close()
    reader.close()
    if removed < facts:
        raise AssertionError(f"{removed} of {facts} facts were removed")
    return [
        below(f"disk after compact of {facts:,} facts", "MB", after, before * 0.1,
              f"{before:.0f} MB before; {taken:.1f} s; the limit is a tenth")
    ]  # fmt: skip
