"""Reading: every query has a name and stands here.

One read-only connection behind a lock serves all threads (a read takes about 0.1 ms; a
connection for each actor would cost 700 of them). WAL lets it read while the writer
writes; each method sees one committed state, and reading changes nothing (hazard 19).

Every decision reads rows whole, so SQLite writes each as JSON and msgspec reads that: a row
is one value, where for each of thirty Python would make a name and an object. The text of
such a query is made once, from the models.
"""

import hashlib
import hmac
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from peewee import FloatField, Model, SqliteDatabase

from bus import rows
from bus.facts import AnyFact, decode_fact
from bus.plan import Plan, TerminalPlan
from bus.status import IN_LINE, WorkflowStatus
from store.damage import damaged, is_damage
from store.database import open_database
from store.tables import Merge, Task, Terminal, Workflow

_plan = msgspec.json.Decoder(Plan).decode
_terminal_plan = msgspec.json.Decoder(TerminalPlan).decode
# Not strict: SQLite's booleans are 0 and 1.
_workflow = msgspec.json.Decoder(rows.Workflow, strict=False).decode
_merge = msgspec.json.Decoder(rows.Merge, strict=False).decode
_task = msgspec.json.Decoder(rows.Task, strict=False).decode
_terminal = msgspec.json.Decoder(rows.Terminal, strict=False).decode
_position = attrgetter("position")
_IN_LINE = ", ".join(f"'{stage}'" for stage in sorted(IN_LINE))


class _Numbered(msgspec.Struct):
    seq: int


_numbered = msgspec.json.Decoder(_Numbered).decode

D = TypeVar("D")
T = TypeVar("T")


class Reader:
    """Named queries. Any thread may call; each call holds the connection for itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: SqliteDatabase = open_database(path)
        self._database.pragma("query_only", 1)
        self._connection: sqlite3.Connection = self._database.connection()
        self._lock = threading.RLock()

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Several reads of one committed state."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.rollback()

    def _sql(self, sql: str, *values: Any) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                raise damaged(self._path, error) from error
            raise

    def _sound(self, decode: Callable[[D], T], stored: D) -> T:
        """What was stored, decoded; what cannot be is damage, for it was checked on its way in."""
        try:
            return decode(stored)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise damaged(self._path, error) from error

    # ---- rows ------------------------------------------------------------------------

    def workflow_ids(self) -> list[str]:
        """All, oldest first."""
        return [id for (id,) in self._sql("SELECT id FROM workflow ORDER BY rowid")]

    def unfinished_ids(self) -> list[str]:
        """Those that recovery must look at: every non-final status, failed ones too
        (they may be repaired), and final ones that are not cleaned up. Only what is final
        is ever cleaned up, so this is one look into an index.
        """
        return [
            id for (id,) in self._sql("SELECT id FROM workflow WHERE tidied = 0 ORDER BY rowid")
        ]

    def over_ids(self) -> list[str]:
        """Those that are at their end and cleaned up."""
        over = set(self.workflow_ids()) - set(self.unfinished_ids())
        return sorted(over)

    def workflow(self, id: str) -> rows.Workflow | None:
        """One workflow whole, or None."""
        found: dict[str, list[bytes]] = {"workflow": [], "merge": [], "task": [], "terminal": []}
        for table, body in self._sql(_whole_workflow(), id):
            found[table].append(body)
        if not found["workflow"]:
            return None
        workflow = self._sound(_workflow, found["workflow"][0])
        workflow.merge = self._sound(_merge, found["merge"][0])
        workflow.tasks = [self._sound(_task, body) for body in found["task"]]
        terminals = [self._sound(_terminal, body) for body in found["terminal"]]
        by_task: dict[str, list[rows.Terminal]] = {}
        for terminal in sorted(terminals, key=_position):
            by_task.setdefault(terminal.task, []).append(terminal)
        workflow.merge_terminal = next(iter(by_task.get("", [])), None)
        workflow.tasks.sort(key=_position)
        for task in workflow.tasks:
            task.terminals = by_task.get(task.address, [])
        return workflow

    def line_of_merges(self, git_dir: str, target: str) -> list[str]:
        """Those that merge into one branch of one repository and wait for nobody, in the order
        in which they began.
        """
        return [
            id
            for (id,) in self._sql(
                "SELECT id FROM workflow JOIN merge ON merge.workflow = workflow.id"
                " WHERE tidied = 0 AND status = 'merging' AND git_dir = ? AND target = ?"
                f" AND stage IN ({_IN_LINE}) ORDER BY queued, workflow.rowid",
                *(git_dir, target),
            )
        ]

    def watched(self, id: str) -> list[tuple[str, str, str, str]]:
        """What a watcher looks at: (address, branch, base, worktree) of each task that has
        begun and, without a branch, of the worktree in which a merge is resolved.
        """
        return self._sql(
            "SELECT address, branch, base, worktree FROM task WHERE workflow = ? AND base != ''"
            " UNION ALL SELECT workflow || '/merge/', '', start, worktree"
            " FROM merge WHERE workflow = ? AND worktree != ''",
            *(id, id),
        )

    def repository(self, id: str) -> tuple[str, str]:
        """A workflow's git directory and target."""
        ((git_dir, target),) = self._sql("SELECT git_dir, target FROM workflow WHERE id = ?", id)
        return git_dir, target

    def terminal(self, address: str) -> rows.Terminal | None:
        found = self._sql(_one_terminal(), address)
        return self._sound(_terminal, found[0][1]) if found else None

    def starting_terminals(self) -> list[str]:
        """The addresses of those that are being started."""
        return [
            address
            for (address,) in self._sql("SELECT address FROM terminal WHERE status = 'starting'")
        ]

    def plan(self, id: str) -> Plan:
        """The plan a workflow was submitted with."""
        ((body,),) = self._sql("SELECT plan FROM workflow WHERE id = ?", id)
        return self._sound(_plan, bytes(body))

    def terminal_plan(self, address: str) -> TerminalPlan:
        ((body,),) = self._sql("SELECT plan FROM terminal WHERE address = ?", address)
        return self._sound(_terminal_plan, bytes(body))

    def standing(self, id: str) -> tuple[WorkflowStatus, int]:
        """A workflow's status, and the seq of the last observation decided on.

        A workflow of a hundred tasks takes 3 ms to read whole; most looks need no more than this.
        """
        found = self._sql("SELECT status, handled FROM workflow WHERE id = ?", id)
        if not found:
            raise LookupError(f"workflow {id} has no row")
        ((status, handled),) = found
        return WorkflowStatus(status), int(handled)

    def pause_of(self, id: str) -> tuple[bool, bool]:
        """Whether a workflow is paused, and whether its programs are stopped."""
        ((status, frozen),) = self._sql("SELECT status, frozen FROM workflow WHERE id = ?", id)
        return status == WorkflowStatus.PAUSED, bool(frozen)

    # ---- the journal ------------------------------------------------------------------

    def head(self) -> int:
        ((head,),) = self._sql("SELECT coalesce(max(seq), 0) FROM fact")
        return max(int(head), self.compacted())

    def count_facts(self) -> int:
        ((count,),) = self._sql("SELECT count(*) FROM fact")
        return int(count)

    def compacted(self) -> int:
        """Up to this seq the facts of finished workflows may be gone."""
        found = self._sql("SELECT value FROM meta WHERE key = 'compacted'")
        return int(found[0][0]) if found else 0

    def proof(self, *words: str) -> str:
        """A token for what these words name, made with this database's secret.

        It is the same again after a restart, and nobody can make it who cannot read the database.
        """
        ((secret,),) = self._sql("SELECT value FROM meta WHERE key = 'secret'")
        said = "\0".join(words).encode()
        return hmac.new(str(secret).encode(), said, hashlib.sha256).hexdigest()[:32]

    def bodies(self, after: int, limit: int, address: str = "") -> list[bytes]:
        """The JSON of facts with seq > `after`, oldest first, of `address` and below."""
        where, values = _below(address)
        found = self._sql(
            f"SELECT seq, body FROM fact WHERE {where} AND seq > ? ORDER BY seq LIMIT ?",
            *(*values, after, limit),
        )
        return [self._body(seq, bytes(body)) for seq, body in found]

    def _body(self, seq: int, body: bytes) -> bytes:
        """A fact's JSON as it is given out: it must be JSON, and of this fact."""
        if self._sound(_numbered, body).seq != seq:
            raise damaged(self._path, ValueError(f"fact {seq} is another's"))
        return body

    def facts_after(self, seq: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Facts after `seq`, oldest first: (seq, address, JSON)."""
        return [
            (int(seq), address, bytes(body))
            for seq, address, body in self._sql(
                "SELECT seq, address, body FROM fact WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit
            )
        ]

    def newest(self, address: str, limit: int, also: str = "") -> list[AnyFact]:
        """The latest facts of `address` and below, newest first; and those of `also` itself,
        an address in the same workflow.
        """
        where, values = _below(address)
        if also:
            where, values = (
                f"(({where}) OR (workflow = ? AND address = ?))",
                (
                    *values,
                    also.partition("/")[0],
                    also,
                ),
            )
        found = self._sql(
            f"SELECT body FROM fact WHERE {where} ORDER BY seq DESC LIMIT ?", *(*values, limit)
        )
        return [self._sound(decode_fact, bytes(body)) for (body,) in found]

    def unhandled(self, workflow: str, handled: int) -> list[AnyFact]:
        """What the workflow actor has not decided on yet, oldest first."""
        found = self._sql(
            "SELECT body FROM fact WHERE workflow = ? AND seq > ? AND observed ORDER BY seq",
            *(workflow, handled),
        )
        return [self._sound(decode_fact, bytes(body)) for (body,) in found]

    # ---- cursors and the supervisor's memory ---------------------------------------------

    def cursors(self, workflow: str) -> dict[str, str]:
        return dict(self._sql('SELECT ref, "commit" FROM cursor WHERE workflow = ?', workflow))

    def seen_commits(self, workflow: str, commits: list[str]) -> set[str]:
        """Those of `commits` that have had their fact."""
        marks = ", ".join("?" * len(commits))
        sql = f'SELECT "commit" FROM "commit" WHERE workflow = ? AND "commit" IN ({marks})'
        return {commit for (commit,) in self._sql(sql, workflow, *commits)}

    def actor_state(self, address: str) -> bytes | None:
        found = self._sql("SELECT state FROM actorstate WHERE address = ?", address)
        return bytes(found[0][0]) if found else None


def _pairs(row: type[msgspec.Struct], table: type[Model]) -> list[str]:
    """`'name', value` for each field of `row` that is a column of `table`."""
    found = {name: table._meta.columns.get(name) for name in row.__struct_fields__}  # noqa: SLF001
    return [f"'{name}', {_value(column)}" for name, column in found.items() if column is not None]


def _value(column: Any) -> str:
    name = f'"{column.column_name}"'
    if column.column_name in _JSON:
        return f"json({name})"
    if isinstance(column, FloatField):  # SQLite's JSON has 15 digits of it
        return f"printf('%!.17g', {name})"
    return f"ifnull({name}, '')" if column.null else name


_JSON = {"forecast", "files"}
"""Columns that hold JSON themselves."""


def _object(*pairs: str) -> str:
    return f"json_object({', '.join(pairs)})"


def _rows(table: type[Model], key: str, *pairs: str) -> str:
    """Name and JSON of each row whose `key` is the query's one value.

    As bytes: no text is made of it only to be read again.
    """
    name = table._meta.table_name  # noqa: SLF001
    return f"SELECT '{name}', CAST({_object(*pairs)} AS BLOB) FROM {name} WHERE {key} = ?1"


@cache
def _whole_workflow() -> str:
    """One statement, so one committed state; the rows in no order."""
    own = _pairs(rows.Workflow, Workflow)
    return " UNION ALL ".join(
        [
            _rows(Workflow, "id", *own, "'address', id || '/'"),
            _rows(Merge, "workflow", *_pairs(rows.Merge, Merge)),
            _rows(Task, "workflow", *_pairs(rows.Task, Task)),
            _rows(Terminal, "workflow", *_pairs(rows.Terminal, Terminal)),
        ]
    )


@cache
def _one_terminal() -> str:
    return _rows(Terminal, "address", *_pairs(rows.Terminal, Terminal))


def _below(address: str) -> tuple[str, tuple[Any, ...]]:
    """The condition that holds for facts of `address` and below; "" means all."""
    if not address:
        return "1", ()
    workflow, _, rest = address.partition("/")
    if not rest:
        return "workflow = ?", (workflow,)
    return "workflow = ? AND substr(address, 1, ?) = ?", (workflow, len(address), address)
