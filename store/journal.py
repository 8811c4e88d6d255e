"""The journal: the only writer of the database.

A change (a list of operations) is stored whole or not at all, with the facts it makes. The writing
thread takes every change that waits, up to `GROUP`, and commits them as one transaction (group
commit, `synchronous=FULL`). `seq` is given inside the transaction, so it has no gaps and no
repeats. Only after the commit, `on_commit` is called with the stored facts in order, and then the
callers get their results.

One thread writes at a time. A committing thread writes its own change if no other write is running,
so a lone change costs no wake-up. Otherwise the journal's thread writes it with the next group.

A change that fails (an illegal or lost transition, a duplicate) fails alone: the group is rolled
back, and its changes are tried one by one.
"""

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import msgspec
from peewee import SqliteDatabase

from bus import clock
from bus.address import workflow_of
from bus.facts import Fact, encode_fact
from store import statements
from store.change import Operation
from store.changing import Changes
from store.damage import damaged, is_damage
from store.database import open_database
from store.errors import Duplicate, StoreError, Unwritable, Vanished
from store.presence import Presence
from store.rescue import rescue

GROUP = 256
"""Largest number of changes in a transaction; it bounds how long a caller waits for others."""


class Stored(msgspec.Struct, frozen=True):
    """A fact after its commit, with the JSON that was stored."""

    fact: Fact
    body: bytes


OnCommit = Callable[[Sequence[Stored]], None]

_Waiting = tuple[Sequence[Operation], "Future[list[int]]"]


class Journal:
    """Owns the writing connection and its thread.

    `commit` and `submit` may be called from any thread. `on_commit` runs in the writing thread. It
    must only pass the facts on, and take no lock that a caller of `commit` may hold. `on_death` is
    called once in the writing thread if writing itself fails: nothing can be written any more, and
    the runtime must end.
    """

    def __init__(
        self,
        path: Path,
        on_commit: OnCommit,
        on_death: Callable[[str], None],
        changes: Changes | None = None,
    ) -> None:
        """`changes` gets the rows that each commit changes."""
        self._path = path
        self._changes = changes or Changes()
        self._database: SqliteDatabase = open_database(path)
        self._connection: sqlite3.Connection = self._database.connection()
        self._on_commit = on_commit
        self._on_death = on_death
        self._waiting: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._work = threading.Event()
        self._head: int = self._stored_head()
        self._presence = Presence(path)  # after the first read, which creates the log
        self._closed = False
        self._gate = threading.Lock()  # a change is queued before the end or refused
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def head(self) -> int:
        """The seq of the newest committed fact; 0 before the first."""
        return self._head

    @property
    def queued(self) -> int:
        """How many changes wait to be written."""
        return self._waiting.qsize()

    def submit(self, change: Sequence[Operation]) -> "Future[list[int]]":
        """Queue a change for the journal's thread.

        The future gets the seqs of its facts once they are durable, or a `StoreError`.
        """
        future = self._queue(change)
        self._call_writer()
        return future

    def commit(self, change: Sequence[Operation]) -> list[int]:
        """Store a change and return the seqs of its facts, once they are durable.

        This thread writes it, with the changes that wait, if no other thread is writing. Otherwise
        the journal's thread does. Raise `StoreError`.
        """
        future = self._queue(change)
        if not future.done() and self._writing.acquire(blocking=False):
            try:
                self._write_group()
            finally:
                self._writing.release()
        if not future.done():
            self._call_writer()
        return future.result()

    def shrink(self) -> None:
        """Return the space of removed rows to the file system.

        Block until that is done; commits wait meanwhile. Raise `StoreError` if the disk has no room
        for a copy.
        """
        with self._writing:
            try:
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise self._typed(error) from error

    def verify(self) -> None:
        """Check that the files of the database still exist; end the journal if not.

        Every commit checks too; this is for times without commits. Any thread may call it.
        """
        if self._presence.lost():
            self.submit(())

    def close(self) -> None:
        """Store the changes that wait, then end the thread."""
        with self._gate:
            self._closed = True
        self._work.set()
        self._thread.join()

    def _queue(self, change: Sequence[Operation]) -> "Future[list[int]]":
        future: Future[list[int]] = Future()
        with self._gate:
            if not self._closed:
                self._waiting.put((change, future))
                return future
        future.set_exception(Unwritable("the journal is closed"))
        return future

    def _call_writer(self) -> None:
        """Wake the journal's thread after a change was queued, unless it is woken already."""
        if not self._work.is_set():
            self._work.set()

    # ---- the journal's thread ---------------------------------------------------------

    def _run(self) -> None:
        while not (self._closed and self._waiting.empty()):
            self._work.wait()
            self._work.clear()
            with self._writing:
                while self._write_group():
                    pass
        self._database.close()

    # ---- in the writing thread, which holds `_writing` ---------------------------------

    def _write_group(self) -> bool:
        """Write the waiting changes as one transaction.

        Return False if none waits, or if writing has failed for good.
        """
        group: list[_Waiting] = []
        while len(group) < GROUP and not self._waiting.empty():
            group.append(self._waiting.get())
        try:
            if group:
                self._commit_group(group)
        except BaseException as error:  # noqa: BLE001 - the last word of the only writer
            self._break(group, error)
            return False
        return bool(group)

    def _break(self, group: Sequence[_Waiting], error: BaseException) -> None:
        with self._gate:
            self._closed = True
        self._fail(group, error)
        left = []
        while not self._waiting.empty():
            left.append(self._waiting.get())
        self._fail(left, Unwritable("the journal is closed"))
        self._work.set()
        lost = isinstance(error, Vanished)
        self._on_death(str(error) if lost else f"the journal's writer broke: {error!r}")

    def _fail(self, group: Sequence[_Waiting], error: BaseException) -> None:
        for _, future in group:
            if not future.done():
                future.set_exception(error)

    def _commit_group(self, group: Sequence[_Waiting]) -> None:
        try:
            stored, seqs = self._transaction(group)
            self._require_presence()
        except Vanished:
            raise  # ends the journal: these changes must not be acknowledged
        except Exception as error:  # noqa: BLE001 - one change's error, which it gets
            if len(group) == 1:
                group[0][1].set_exception(self._typed(error))
                return
            for one in group:
                self._commit_group([one])
            return
        self._head += len(stored)
        if stored:
            self._on_commit(stored)
        for (_, future), numbers in zip(group, seqs, strict=True):
            future.set_result(numbers)

    def _transaction(self, group: Sequence[_Waiting]) -> tuple[list[Stored], list[list[int]]]:
        execute = self._connection.execute
        head = self._head
        at = clock.stamp()
        stored: list[Stored] = []
        seqs: list[list[int]] = []
        self._changes.begin(operation for change, _ in group for operation in change)
        try:
            execute("BEGIN IMMEDIATE")
            for change, _ in group:
                first = head + 1
                for operation in change:
                    fact = statements.run(execute, operation)
                    if fact is not None:
                        head += 1
                        fact.seq, fact.at = head, at
                        stored.append(Stored(fact, encode_fact(fact)))
                seqs.append(list(range(first, head + 1)))
            self._connection.executemany(
                statements.INSERT_FACT,
                [
                    (f.seq, workflow_of(f.address), f.address, f.observed, body)
                    for f, body in ((s.fact, s.body) for s in stored)
                ],
            )
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise
        finally:
            self._changes.end()
        return stored, seqs

    def _require_presence(self) -> None:
        """Save the content and raise `Vanished` if a file of the database is gone."""
        lost = self._presence.lost()
        if lost:
            names = ", ".join(lost)
            saved = rescue(self._connection, self._path, lost)
            raise Vanished(f"{names} was deleted or replaced while it was in use; {saved}")

    def _stored_head(self) -> int:
        """Return the newest seq, even if compaction removed the newest facts."""
        try:
            row = self._connection.execute(
                "SELECT max(coalesce((SELECT max(seq) FROM fact), 0),"
                " coalesce((SELECT cast(value AS integer) FROM meta WHERE key = 'compacted'), 0))"
            ).fetchone()
        except sqlite3.DatabaseError as error:
            raise self._typed(error) from error
        return int(row[0])

    def _typed(self, error: Exception) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error):
            return Duplicate(str(error))
        if isinstance(error, sqlite3.Error) and is_damage(error):
            return damaged(self._path, error)
        if isinstance(error, sqlite3.Error):
            return Unwritable(f"the database refused the change: {error}")
        return StoreError(f"the change cannot be stored: {error!r}")
