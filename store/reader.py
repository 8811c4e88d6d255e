"""The reader: all queries of the database, each as a named method.

One read-only connection behind a lock serves all threads: a read takes about 0.1 ms, and 700 actors
would need 700 connections. WAL lets it read while the journal writes. Each method sees one
committed state, and reading changes nothing (hazard 19).
"""

import hashlib
import hmac
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from peewee import SqliteDatabase

from bus import accounts, notify, rows
from bus.facts import AnyFact, decode_fact
from bus.kinds import LimitKind
from bus.notify import Notify
from bus.plan import Plan, TerminalPlan
from bus.status import IN_LINE, MergeStage, QuestionStage, WorkflowStatus
from store import told, used
from store.changing import Changes
from store.damage import damaged, is_damage
from store.database import open_database
from store.workflows import Workflows

_plan = lru_cache(256)(msgspec.json.Decoder(Plan).decode)
"""A plan never changes: whoever reads the same one gets the same object."""
_terminal_plan = msgspec.json.Decoder(TerminalPlan).decode
_git_settings = msgspec.json.Decoder(dict[str, str] | None).decode
_IN_LINE = ", ".join(f"'{stage}'" for stage in sorted(IN_LINE))


class _Numbered(msgspec.Struct):
    seq: int
    type: str = ""


_numbered = msgspec.json.Decoder(_Numbered).decode

D = TypeVar("D")
T = TypeVar("T")


class Reader:
    """The named queries. Any thread may call them; each call has the connection to itself."""

    def __init__(self, path: Path, changes: Changes | None = None) -> None:
        """`changes` are told by the journal that writes here; without it all is read anew."""
        self._path = path
        self._database: SqliteDatabase = open_database(path)
        self._database.pragma("query_only", 1)
        self._connection: sqlite3.Connection = self._database.connection()
        self._lock = threading.RLock()
        self._shares = changes is not None
        self._workflows = Workflows(self._sql, self._sound, self.one_state, changes or Changes())

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._database.close()

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Make all reads inside the `with` block see one committed state."""
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
        """Return a stored value decoded. It was valid when stored, so an error is damage."""
        try:
            return decode(stored)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise damaged(self._path, error) from error

    # ---- rows ------------------------------------------------------------------------

    def workflow_ids(self) -> list[str]:
        """Return the ids of all workflows, oldest first."""
        return [id for (id,) in self._sql("SELECT id FROM workflow ORDER BY rowid")]

    def unfinished_ids(self) -> list[str]:
        """Return the ids of the workflows that recovery must handle, oldest first.

        These have a status that is not final (`failed` is not: it may be repaired), or are final
        and not cleaned up. Only final workflows are cleaned up, so one lookup in an index finds
        them all.
        """
        return [
            id for (id,) in self._sql("SELECT id FROM workflow WHERE tidied = 0 ORDER BY rowid")
        ]

    def over_ids(self) -> list[str]:
        """Return the ids of the workflows that are final and cleaned up."""
        over = set(self.workflow_ids()) - set(self.unfinished_ids())
        return sorted(over)

    def workflow(self, id: str) -> rows.Workflow | None:
        """Return a workflow with its merge, tasks and terminals, or None.

        Others may have the same rows, so nobody may change them.
        """
        with self._lock:
            if self._shares and not self._connection.in_transaction:
                return self._workflows.current(id)
        return self._workflows.read(id)

    def line_of_merges(self, git_dir: str, target: str) -> list[str]:
        """Return the ids of the workflows that merge into `target` and wait for nobody.

        They come in the order in which their merges began; `git_dir` is their common repository.
        """
        sql = (
            "SELECT id FROM workflow JOIN merge ON merge.workflow = workflow.id"
            " WHERE tidied = 0 AND held = '' AND status = 'merging'"
            " AND git_dir = ? AND target = ?"
            f" AND stage IN ({_IN_LINE}) ORDER BY queued, workflow.rowid"
        )
        return [id for (id,) in self._sql(sql, git_dir, target)]

    def watched(self, id: str) -> list[tuple[str, str, str, str]]:
        """Return what a watcher observes: (address, branch, base, worktree).

        There is one for each task that has begun and, with "" as the branch, one for the scratch
        worktree of the merge if there is one.
        """
        row = self.workflow(id)
        if row is None:
            return []
        tasks = ((task.address, task.branch, task.base, task.worktree) for task in row.tasks)
        found = [task for task in tasks if task[2] and task[3]]
        scratch = (f"{id}/merge/", "", row.merge.start, row.merge.worktree)
        return [*found, scratch] if row.merge.worktree else found

    def branches(self, id: str) -> list[str]:
        """Return the branches of all tasks of a workflow."""
        row = self.workflow(id)
        return [task.branch for task in row.tasks] if row is not None else []

    def branches_in(self, git_dir: str) -> set[str]:
        """Return the branches of all tasks in a repository, of whichever workflow."""
        sql = "SELECT branch FROM task JOIN workflow ON workflow.id = workflow WHERE git_dir = ?"
        return {name for (name,) in self._sql(sql, git_dir)}

    def submitted(self, submission: str) -> str | None:
        """Return the id of the workflow that this submission made; None if there is none."""
        rows = self._sql("SELECT id FROM workflow WHERE submission = ? LIMIT 1", submission)
        return str(rows[0][0]) if rows else None

    def repository(self, id: str) -> tuple[str, str]:
        """Return a workflow's git directory and target."""
        ((git_dir, target),) = self._sql("SELECT git_dir, target FROM workflow WHERE id = ?", id)
        return git_dir, target

    def kept(self, id: str) -> tuple[str, str, str]:
        """Return of a workflow the digests `kept` and `changed`, and why nothing may land."""
        ((kept, changed, held),) = self._sql(
            "SELECT kept, changed, held FROM workflow WHERE id = ?", id
        )
        return kept, changed, held

    def landed(self, git_dir: str, target: str) -> set[str]:
        """Return the commits that workflows have landed on a target, or are landing now."""
        sql = (
            'SELECT merge."commit" FROM merge JOIN workflow ON workflow.id = merge.workflow'
            " WHERE git_dir = ? AND target = ?"
            " AND (stage IN (?, ?) OR (status = ? AND merge.task = ''))"
        )
        over = WorkflowStatus.COMPLETED
        stages = (MergeStage.LANDING, MergeStage.CHECKOUT)
        return {commit for (commit,) in self._sql(sql, git_dir, target, *stages, over)}

    def terminal(self, address: str) -> rows.Terminal | None:
        """Return a terminal's row, or None."""
        return self._workflows.terminal(address)

    def tokens(self) -> dict[str, str]:
        """Return the address of each terminal that was started, by its host's token."""
        found = self._sql("SELECT token, address FROM terminal WHERE token != ''")
        return dict(found)

    def starting_terminals(self) -> list[str]:
        """Return the addresses of the terminals that are being started."""
        found = self._sql("SELECT address FROM terminal WHERE status = 'starting'")
        return [address for (address,) in found]

    def resting_terminals(self) -> list[rows.Terminal]:
        """Return the terminals of tasks whose programs run and have nothing to do, youngest first.

        Those that have never worked come first, then those that began last. One decision may begin
        several: of these the last of the plan comes first.
        """
        found = self._sql(
            "SELECT address FROM terminal WHERE NOT gone AND shall_run AND launch_over"
            " AND task IS NOT NULL ORDER BY working_since = '' DESC, working_since DESC, rowid DESC"
        )
        known = [self.terminal(address) for (address,) in found]
        return [row for row in known if row is not None and row.rests]

    def plan(self, id: str) -> Plan:
        """Return the plan of a workflow's submission. Raise `LookupError` without a row."""
        for (body,) in self._sql("SELECT plan FROM workflow WHERE id = ?", id):
            return self._sound(_plan, bytes(body))
        raise LookupError(f"workflow {id} has no row")

    def git_settings(self, id: str) -> dict[str, str] | None:
        """Return the git settings of a workflow's submission; None for one of an older version."""
        ((text,),) = self._sql("SELECT settings FROM workflow WHERE id = ?", id)
        return self._sound(_git_settings, text.encode())

    def terminal_plan(self, address: str) -> TerminalPlan:
        """Return the plan of a terminal."""
        ((body,),) = self._sql("SELECT plan FROM terminal WHERE address = ?", address)
        return self._sound(_terminal_plan, bytes(body))

    def standing(self, id: str) -> tuple[WorkflowStatus, int]:
        """Return a workflow's status and the seq of the last observation decided on.

        Most `Look` messages need no more, and reading a whole workflow of 100 tasks takes 3 ms.
        """
        found = self._sql("SELECT status, handled FROM workflow WHERE id = ?", id)
        if not found:
            raise LookupError(f"workflow {id} has no row")
        ((status, handled),) = found
        return WorkflowStatus(status), int(handled)

    def pause_of(self, id: str) -> tuple[bool, bool]:
        """Return whether a workflow is paused, and whether its programs are stopped."""
        ((status, frozen),) = self._sql("SELECT status, frozen FROM workflow WHERE id = ?", id)
        return status == WorkflowStatus.PAUSED, bool(frozen)

    def questions(self, stage: QuestionStage) -> list[tuple[str, int]]:
        """Return workflow and number of the questions in a stage, oldest first."""
        found = self._sql(
            "SELECT workflow, number FROM question WHERE stage = ? ORDER BY rowid", stage
        )
        return [(workflow, int(number)) for workflow, number in found]

    def thought_since(self, at: str) -> int:
        """Return the tokens of all questions asked after a time, those reserved included."""
        ((tokens,),) = self._sql(
            "SELECT ifnull(sum(tokens + reserved), 0) FROM question WHERE at > ?", at
        )
        return int(tokens)

    # ---- the journal ------------------------------------------------------------------

    def head(self) -> int:
        """Return the seq of the newest fact, even if compaction removed it."""
        ((head,),) = self._sql("SELECT coalesce(max(seq), 0) FROM fact")
        return max(int(head), self.compacted())

    def count_facts(self) -> int:
        """Return how many facts are stored."""
        ((count,),) = self._sql("SELECT count(*) FROM fact")
        return int(count)

    def compacted(self) -> int:
        """Return the seq up to which facts of finished workflows may be gone."""
        found = self._sql("SELECT value FROM meta WHERE key = 'compacted'")
        return int(found[0][0]) if found else 0

    def proof(self, *words: str) -> str:
        """Return a token for these words, made with this database's secret.

        It stays the same after a restart. Only a program that can read the database can make it.
        """
        ((secret,),) = self._sql("SELECT value FROM meta WHERE key = 'secret'")
        said = "\0".join(words).encode()
        return hmac.new(str(secret).encode(), said, hashlib.sha256).hexdigest()[:32]

    def bodies(self, after: int, limit: int, address: str = "") -> list[bytes]:
        """Return the JSON of facts with seq > `after`, oldest first, of `address` and below."""
        where, values = _below(address)
        found = self._sql(
            f"SELECT seq, body FROM fact WHERE {where} AND seq > ? ORDER BY seq LIMIT ?",
            *(*values, after, limit),
        )
        return [self._body(seq, bytes(body)) for seq, body in found]

    def _body(self, seq: int, body: bytes) -> bytes:
        """Return a fact's JSON. Raise `Damaged` unless it is JSON with this seq."""
        if self._sound(_numbered, body).seq != seq:
            raise damaged(self._path, ValueError(f"fact {seq} is another's"))
        return body

    def facts_after(self, seq: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Return the facts after `seq`, oldest first, as (seq, address, JSON)."""
        return [
            (int(seq), address, bytes(body))
            for seq, address, body in self._sql(
                "SELECT seq, address, body FROM fact WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit
            )
        ]

    def newest(self, address: str, limit: int, also: str = "") -> list[AnyFact]:
        """Return the newest facts of `address` and below, newest first.

        With `also`, an address in the same workflow, the facts of exactly that one are included.
        """
        where, values = _below(address)
        if also:
            where = f"(({where}) OR (workflow = ? AND address = ?))"
            values = (*values, also.partition("/")[0], also)
        found = self._sql(
            f"SELECT body FROM fact WHERE {where} ORDER BY seq DESC LIMIT ?", *(*values, limit)
        )
        return [self._sound(decode_fact, bytes(body)) for (body,) in found]

    def last(self, address: str, types: Collection[str], among: int) -> bytes | None:
        """Return the JSON of the newest of `among` facts of `address` that has one of the types."""
        where = "workflow = ? AND address = ? ORDER BY seq DESC LIMIT ?"
        values = (address.partition("/")[0], address, among)
        found = self._sql(f"SELECT seq, body FROM fact WHERE {where}", *values)
        bodies = (self._body(seq, bytes(body)) for seq, body in found)
        return next((body for body in bodies if _numbered(body).type in types), None)

    def unhandled(self, workflow: str, handled: int) -> list[AnyFact]:
        """Return the observations after the seq `handled`, oldest first."""
        found = self._sql(
            "SELECT body FROM fact WHERE workflow = ? AND seq > ? AND observed ORDER BY seq",
            *(workflow, handled),
        )
        return [self._sound(decode_fact, bytes(body)) for (body,) in found]

    # ---- cursors and the supervisor's memory ---------------------------------------------

    def cursors(self, workflow: str) -> dict[str, str]:
        """Return the commit of each watched ref up to which facts were stored."""
        return dict(self._sql('SELECT ref, "commit" FROM cursor WHERE workflow = ?', workflow))

    def seen_commits(self, workflow: str, commits: list[str]) -> set[str]:
        """Return those of `commits` whose fact has been stored."""
        marks = ", ".join("?" * len(commits))
        sql = f'SELECT "commit" FROM "commit" WHERE workflow = ? AND "commit" IN ({marks})'
        return {commit for (commit,) in self._sql(sql, workflow, *commits)}

    def account(self, name: str) -> accounts.Account:
        """Return what is known of an account's limits."""
        found = self._sql('SELECT "by", until, probe FROM account WHERE name = ?', name)
        if not found:
            return accounts.Account(name=name)
        ((by, until, probe),) = found
        return accounts.Account(name=name, by=LimitKind(by), until=until, probe=probe)

    def counted(self, terminal: str, first: int) -> tuple[int, int, int, int]:
        """Return input, output and cached tokens and requests since the incarnation `first`."""
        return used.counted(self._sql, terminal, first)

    def usage(self, workflow: str = "") -> list[accounts.Used]:
        """Return what was used, by terminal, account and day; of all workflows with ""."""
        return used.usage(self._sql, workflow)

    def untold(self, workflow: str = "") -> list[str]:
        """Return the workflows with a question to a model whose use is not known."""
        return used.untold(self._sql, workflow)

    def notices(self) -> list[notify.Notice]:
        """Return how far persons were told, by each way."""
        return told.notices(self._sql)

    def notified(self, workflow: str) -> tuple[int, Notify | None]:
        """Return the seq of a workflow's first fact, and `[notify]` of its plan."""
        return told.asked(self._sql, workflow)

    def actor_state(self, address: str) -> bytes | None:
        """Return the stored state of an actor, or None."""
        found = self._sql("SELECT state FROM actorstate WHERE address = ?", address)
        return bytes(found[0][0]) if found else None


def _below(address: str) -> tuple[str, tuple[Any, ...]]:
    """Return the condition for facts of `address` and below ("" for all), and its values."""
    if not address:
        return "1", ()
    workflow, _, rest = address.partition("/")
    if not rest:
        return "workflow = ?", (workflow,)
    return "workflow = ? AND substr(address, 1, ?) = ?", (workflow, len(address), address)
