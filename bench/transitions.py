"""Durable transitions: compare-and-swap of a status with its fact, `synchronous=FULL`.

Ours is the real journal, with its thread, its checks and its encoding. The reference runs the same
statements on a bare connection in the caller's thread, with the facts encoded beforehand. The third
side is what an ORM does: one Peewee transaction for each transition.
"""

import itertools
import sqlite3
from pathlib import Path

from peewee import SqliteDatabase

from bench.table import Row, alternate, at_least, seconds
from bus import address
from bus.facts import TerminalMoved, encode_fact
from bus.plan import Plan, TaskPlan, TerminalPlan
from bus.status import TerminalStatus
from store.change import Move, Operation
from store.database import create_or_migrate, open_database
from store.journal import Journal
from store.submission import submission
from store.tables import Fact, Terminal

T = TerminalStatus
CIRCLE = [T.STARTING, T.WAITING, T.RUNNING, T.COMPLETED, T.STARTING]
IN_FLIGHT = 100
UPDATE = 'UPDATE "terminal" SET "status" = ?, "reason" = ? WHERE "address" = ? AND "status" = ?'
INSERT = "INSERT INTO fact (seq, workflow, address, observed, body) VALUES (?, ?, ?, ?, ?)"


def make(path: Path) -> list[str]:
    """Make a workflow of a hundred `starting` terminals; return their addresses."""
    create_or_migrate(path)
    terminal = TerminalPlan(cli="cat", instruction="wait")
    tasks = [TaskPlan(id=f"t{n}", branch=f"b{n}", terminal=[terminal]) for n in range(IN_FLIGHT)]
    plan = Plan(name="w", repo="/", task=tasks)
    where = [address.terminal("w", task.id, 1) for task in tasks]
    change: list[Operation] = submission("w", plan, "now")
    change += [Move("terminal", at, T.NOT_STARTED, T.STARTING) for at in where]
    journal = Journal(path, lambda _: None, lambda _: None)
    journal.commit(change)
    journal.close()
    return where


class Steps:
    """The status of each terminal, and its next step in an endless cycle."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self._turns = {at: itertools.cycle(itertools.pairwise(CIRCLE)) for at in addresses}

    def group(self, size: int) -> list[tuple[str, TerminalStatus, TerminalStatus]]:
        """Return the next step of each of the first `size` terminals."""
        return [(at, *next(self._turns[at])) for at in self.addresses[:size]]


class Ours:
    """Callboard's side: the journal."""

    def __init__(self, path: Path) -> None:
        self.steps = Steps(make(path))
        self.journal = Journal(path, lambda _: None, lambda _: None)

    def rate(self, groups: int, size: int) -> float:
        """Return the transitions in a second, stored in `groups` of `size`.

        A group of one is stored as one actor stores it, a larger one as many actors at once do.
        """
        submit, commit = self.journal.submit, self.journal.commit

        def work() -> None:
            for _ in range(groups):
                moves = [Move("terminal", *step, "bench") for step in self.steps.group(size)]
                if size == 1:
                    commit(moves)
                    continue
                for future in [submit([move]) for move in moves]:
                    future.result()

        return groups * size / seconds(work)


class Raw:
    """The reference: a bare SQLite connection."""

    def __init__(self, path: Path) -> None:
        self.steps = Steps(make(path))
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = full")
        self.connection.execute("PRAGMA foreign_keys = 1")
        ((self.head,),) = self.connection.execute("SELECT max(seq) FROM fact")

    def rate(self, groups: int, size: int) -> float:
        """Return the transitions in a second, stored in `groups` of `size`."""
        prepared = []
        for _ in range(groups):
            group = []
            for at, old, new in self.steps.group(size):
                self.head += 1
                fact = TerminalMoved(
                    seq=self.head, at="2026-01-01T00:00:00.000000Z", address=at, old=old, new=new,
                    reason="bench", incarnation=0,
                )  # fmt: skip
                group.append(
                    ((new, "bench", at, old), (self.head, "w", at, False, encode_fact(fact)))
                )
            prepared.append(group)
        execute = self.connection.execute

        def work() -> None:
            for group in prepared:
                execute("BEGIN IMMEDIATE")
                for update, _ in group:
                    if execute(UPDATE, update).rowcount != 1:
                        raise LookupError(update)
                    query = "SELECT incarnation FROM terminal WHERE address = ?"
                    execute(query, (update[2],)).fetchone()
                self.connection.executemany(INSERT, [fact for _, fact in group])
                execute("COMMIT")

        return groups * size / seconds(work)


class Orm:
    """The third side: Peewee."""

    def __init__(self, path: Path) -> None:
        self.steps = Steps(make(path))
        self.database: SqliteDatabase = open_database(path)
        self.database.bind((Terminal, Fact))
        self.head = int(Fact.select().count())

    def rate(self, count: int) -> float:
        """Return the transitions in a second, of at least `count`."""
        todo = [step for _ in range(-(-count // IN_FLIGHT)) for step in self.steps.group(IN_FLIGHT)]

        def work() -> None:
            for at, old, new in todo:
                self.head += 1
                with self.database.atomic("IMMEDIATE"):
                    swap = Terminal.update(status=new, reason="bench").where(
                        (Terminal.address == at) & (Terminal.status == old)
                    )
                    if swap.execute() != 1:
                        raise LookupError(at)
                    fact = TerminalMoved(seq=self.head, at="", address=at, old=old, new=new)
                    Fact.insert(
                        seq=self.head, workflow="w", address=at, observed=False,
                        body=encode_fact(fact),
                    ).execute()  # fmt: skip

        return len(todo) / seconds(work)

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the three sides, with many transitions at once and alone."""
    ours, raw, orm = Ours(at / "ours.db"), Raw(at / "raw.db"), Orm(at / "orm.db")
    rounds, groups = (3, 10) if quick else (7, 40)
    try:
        grouped = alternate(
            rounds,
            lambda: ours.rate(groups, IN_FLIGHT),
            lambda: raw.rate(groups, IN_FLIGHT),
            lambda: orm.rate(2 * groups),
        )
        alone = alternate(rounds, lambda: ours.rate(5 * groups, 1), lambda: raw.rate(5 * groups, 1))
    finally:
        ours.journal.close()
        raw.connection.close()
        orm.close()
    what, unit = f"transitions, {IN_FLIGHT} in flight", "/s"
    return [
        at_least(what, unit, grouped[:2], 0.5, "raw sqlite3, same groups"),
        at_least(what, unit, grouped[::2], 5, "Peewee, a transaction each"),
        at_least("transitions, alone", unit, alone, 0.7, "raw sqlite3, one each"),
    ]
