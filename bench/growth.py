"""The cost of one fact and of a runtime's start, with 10^3, 10^5 and 10^6 facts stored."""

import sqlite3
import time
from pathlib import Path

from bench.feed import fact
from bench.start import first_answer
from bench.table import Row, alternate, percentile
from bus.facts import encode_fact
from store.database import create_or_migrate
from store.journal import Journal

INSERT = "INSERT INTO fact (seq, workflow, address, observed, body) VALUES (?, ?, ?, ?, ?)"


def fill(home: Path, facts: int) -> Path:
    """Make a home whose journal holds this many facts, of a hundred workflows that are over.

    Return the path of its database.
    """
    home.mkdir(mode=0o700)
    path = home / "callboard.db"
    create_or_migrate(path)
    add_facts(path, facts, 1, [f"w{number}" for number in range(100)])
    return path


def add_facts(path: Path, facts: int, first: int, workflows: list[str]) -> None:
    """Store this many facts from the seq `first` on, of these workflows in turn."""
    connection = sqlite3.connect(path)
    connection.executemany(
        INSERT,
        (
            (seq, workflows[seq % len(workflows)], "none/login/", True, encode_fact(fact(seq)))
            for seq in range(first, first + facts)
        ),
    )
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def cost(journal: Journal, count: int) -> float:
    """Return the median milliseconds of storing one fact durably in its own transaction."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        journal.commit([fact(0)])
        taken.append(time.perf_counter() - began)
    return percentile(taken, 0.5) * 1e3


def run(at: Path, quick: bool) -> list[Row]:
    """Measure how the costs grow with the journal."""
    rounds, count = (3, 50) if quick else (7, 300)
    sizes = (1_000, 100_000) if quick else (1_000, 100_000, 1_000_000)
    homes = [at / f"home{size}" for size in sizes]
    paths = [fill(home, size) for home, size in zip(homes, sizes, strict=True)]
    starts = alternate(rounds, *[lambda home=home: first_answer(home) for home in homes])
    journals = [Journal(path, lambda _: None, lambda _: None) for path in paths]
    costs = alternate(rounds, *[lambda j=j: cost(j, count) for j in journals])
    for journal in journals:
        journal.close()
    rows = []
    for what, unit, values in (
        ("a fact", "ms", costs),
        ("serve to first answer", "s", starts),
    ):
        for size, value in list(zip(sizes, values, strict=True))[1:]:
            ratio = value / values[0]
            against = "with 1,000"
            rows.append(
                Row(f"{what}, {size:,} facts in the journal", unit, value, values[0], against,
                    ratio, "<= 1.2", ratio <= 1.2)
            )  # fmt: skip
    return rows
