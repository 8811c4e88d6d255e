"""Which rows of a workflow changed since somebody read it.

The journal says before each commit which rows it changes, and after it that it is over. So whoever
has read a workflow has to read only these rows again (`store.known`).
"""

import threading
from collections import defaultdict
from collections.abc import Iterable

from bus.address import workflow_of
from store.change import KEYS, Forget, Insert, Move, Operation, Update

Row = tuple[str, str]
"""A table and the primary key of a row. Of a workflow that was removed, its own row."""

_TABLES = ("workflow", "merge", "task", "terminal", "question")


class Changes:
    """The changed rows of the workflows that somebody follows. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followed: dict[str, set[Row]] = {}
        self._begun: list[Row] = []

    def follow(self, workflow: str) -> None:
        """Remember from now on which rows of a workflow change."""
        with self._lock:
            self._followed[workflow] = set()

    def leave(self, workflow: str) -> None:
        """Forget about the changes of a workflow."""
        with self._lock:
            self._followed.pop(workflow, None)

    def take(self, workflow: str) -> set[Row]:
        """Return the rows that changed since the last call. Their commits are over."""
        with self._lock:
            if not (found := self._followed.get(workflow)):
                return set()
            self._followed[workflow] = set()
            return found

    def visible(self, workflow: str) -> set[Row]:
        """Return the rows that changed since `take`, and those whose commit is under way.

        A state that was read in between may show these changes.
        """
        with self._lock:
            begun = {row for row in self._begun if _workflow_of(row) == workflow}
            return begun | self._followed.get(workflow, set())

    def begin(self, operations: Iterable[Operation]) -> None:
        """Say, before the commit, which rows it changes. For the journal's writing thread."""
        rows = [row for operation in operations if (row := _row(operation)) is not None]
        with self._lock:
            self._begun = rows

    def end(self) -> None:
        """Say that the commit is over: it was made, or it failed and changed nothing."""
        with self._lock:
            for row in self._begun:
                if (followed := self._followed.get(_workflow_of(row))) is not None:
                    followed.add(row)
            self._begun = []


def _row(operation: Operation) -> Row | None:
    match operation:
        case Move(table=table):
            return table, operation.key
        case Update(table=table, key=key) if table in _TABLES:
            return table, key
        case Insert(table=table, values=values) if table in _TABLES:
            return table, values[KEYS[table]]
        case Forget(workflow=workflow):
            return "workflow", workflow
    return None


def _workflow_of(row: Row) -> str:
    return workflow_of(row[1])


def by_table(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Return the keys of rows by their table."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for table, key in rows:
        found[table].append(key)
    return found
