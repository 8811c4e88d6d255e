"""The SQL of each operation.

The text for each set of columns is made once and cached; values are always parameters. The
functions run in the journal's writing thread, inside its transaction.
"""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from bus import clock
from bus.facts import Fact, ProviderRecovered, TerminalMoved
from bus.kinds import LimitKind
from store.change import KEYS, AccountNews, Forget, Insert, Move, Operation, Purge, Update
from store.errors import IllegalTransition, LostRace
from store.transitions import is_legal

Execute = Callable[..., sqlite3.Cursor]

_SAME: Final = timedelta(minutes=10)
"""A refusal so shortly after the end of the last, and for no longer, is the same one."""

INSERT_FACT = "INSERT INTO fact (seq, workflow, address, observed, body) VALUES (?, ?, ?, ?, ?)"


@lru_cache(maxsize=256)
def _update(table: str, sets: tuple[str, ...], where: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{name}" = ?' for name in sets)
    conditions = " AND ".join(f'"{name}" = ?' for name in where)
    return f'UPDATE "{table}" SET {columns} WHERE {conditions}'


@lru_cache(maxsize=64)
def _insert(table: str, columns: tuple[str, ...], replace: bool) -> str:
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    names = ", ".join(f'"{name}"' for name in columns)
    return f'{verb} INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'


def run(execute: Execute, operation: Operation) -> Fact | None:
    """Carry out one operation; return the fact that it makes, if any.

    Raise `IllegalTransition`, `LostRace`, or an error of SQLite.
    """
    match operation:
        case Fact():
            return operation
        case Move():
            return _move(execute, operation)
        case Update(table, key, sets, expect):
            where = {KEYS[table]: key, **expect}
            _swap(execute, table, sets, where)
        case Insert(table, values, replace):
            execute(_insert(table, tuple(values), replace), tuple(values.values()))
        case AccountNews():
            return _account(execute, operation)
        case Forget(workflow):
            _forget(execute, workflow)
        case Purge(workflows):
            marks = ", ".join("?" * len(workflows))
            execute(f"DELETE FROM fact WHERE workflow IN ({marks})", workflows)
    return None


def _forget(execute: Execute, workflow: str) -> None:
    """Delete a workflow's row, with the rows below it (foreign keys), and its facts."""
    cursor = execute("DELETE FROM workflow WHERE id = ? AND tidied = 1", (workflow,))
    if cursor.rowcount != 1:
        raise LostRace(f"no workflow {workflow} that is over any more")
    execute("DELETE FROM fact WHERE workflow = ?", (workflow,))
    below = f"runtime/workflows/{workflow}/"
    execute("DELETE FROM actorstate WHERE substr(address, 1, ?) = ?", (len(below), below))


def _account(execute: Execute, news: AccountNews) -> Fact | None:
    """Set the row of an account; return the fact if it is news."""
    fact = news.fact
    found = execute('SELECT "by", until FROM account WHERE name = ?', (fact.account,)).fetchone()
    known, until = found or (LimitKind.NONE, "")
    if isinstance(fact, ProviderRecovered):
        values, is_news = (LimitKind.NONE, ""), known != LimitKind.NONE
    else:
        values = fact.by, fact.until
        is_news = known != fact.by or (clock.has_passed(until) and not _goes_on(until, fact.until))
    if is_news or values != (known, until):
        execute(_insert("account", ("name", "by", "until"), True), (fact.account, *values))
    return fact if is_news else None


def _goes_on(until: str, later: str) -> bool:
    """Return whether a limit that was to end at `until` is the one that ends at `later`.

    A program that tries again by itself names a time with each try.
    """
    now = clock.wall()
    return clock.text(now - _SAME) <= until and later <= clock.text(now + _SAME)


def _move(execute: Execute, move: Move) -> Fact:
    if not is_legal(move.old, move.new):
        raise IllegalTransition(f"{move.address}: {move.old} -> {move.new} is no legal step")
    key = KEYS[move.table]
    sets: dict[str, Any] = {"status": move.new, "reason": move.reason, **move.sets}
    _swap(execute, move.table, sets, {key: move.key, "status": move.old})
    fact = move.fact()
    if isinstance(fact, TerminalMoved):
        row = execute("SELECT incarnation FROM terminal WHERE address = ?", (move.key,))
        fact.incarnation = row.fetchone()[0]
    return fact


def _swap(execute: Execute, table: str, sets: dict[str, Any], where: dict[str, Any]) -> None:
    cursor = execute(_update(table, tuple(sets), tuple(where)), (*sets.values(), *where.values()))
    if cursor.rowcount != 1:
        wanted = ", ".join(f"{name}={value!r}" for name, value in where.items())
        raise LostRace(f"no {table} row with {wanted} any more")
