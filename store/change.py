"""What can be written: a change is a list of operations that are stored as one.

Plain data made by the pure core and by the actors, carried out by the journal.
"""

from collections.abc import Mapping
from typing import Any, Literal, Unpack

import msgspec

from bus.facts import Fact, TaskMoved, TerminalMoved, WorkflowMoved
from bus.peer import NOBODY, Caller
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store.columns import MergeColumns, WorkflowColumns

Table = Literal["workflow", "merge", "task", "terminal", "cursor", "commit", "actorstate", "meta"]

Status = WorkflowStatus | TaskStatus | TerminalStatus

_MOVED: dict[str, type[Any]] = {
    "workflow": WorkflowMoved,
    "task": TaskMoved,
    "terminal": TerminalMoved,
}
KEYS = {
    "workflow": "id",
    "merge": "workflow",
    "task": "address",
    "terminal": "address",
    "actorstate": "address",
    "meta": "key",
}


_encode = msgspec.json.Encoder().encode


class Move(msgspec.Struct, frozen=True):
    """One transition: compare-and-swap of `status` from `old` to `new`, together with its fact.

    `sets` are further columns of the row, `caller` is who caused it. An `old` that is not legal
    before `new` is `IllegalTransition`, another value in the row is `LostRace`.
    """

    table: Literal["workflow", "task", "terminal"]
    address: str
    old: Status
    new: Status
    reason: str = ""
    sets: dict[str, Any] = {}
    caller: Caller = NOBODY

    @property
    def key(self) -> str:
        return self.address.rstrip("/") if self.table == "workflow" else self.address

    def fact(self) -> Fact:
        moved: Fact = _MOVED[self.table](
            address=self.address,
            old=self.old,
            new=self.new,
            reason=self.reason,
            by=self.caller.by,
            peer=self.caller.peer,
        )
        return moved


class Update(msgspec.Struct, frozen=True):
    """Columns of one row, where `expect` (column: value) still holds; otherwise `LostRace`.

    The incarnation in `expect` is the fence of a terminal's actor.
    """

    table: Table
    key: str
    sets: dict[str, Any]
    expect: dict[str, Any] = {}


def update_workflow(
    id: str, expect: WorkflowColumns | None = None, **sets: Unpack[WorkflowColumns]
) -> Update:
    """Change columns of a workflow's row, if those of `expect` still hold."""
    return Update("workflow", id, as_stored(sets), as_stored(expect or {}))


def update_merge(
    workflow: str, expect: MergeColumns | None = None, **sets: Unpack[MergeColumns]
) -> Update:
    """Change columns of the merge of a workflow, if those of `expect` still hold."""
    return Update("merge", workflow, as_stored(sets), as_stored(expect or {}))


def as_stored(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns as the database holds them: a list is JSON text."""
    return {
        name: _encode(value).decode() if isinstance(value, list) else value
        for name, value in columns.items()
    }


class Insert(msgspec.Struct, frozen=True):
    """A new row. `Duplicate` where its key is taken; with `replace`, taken over."""

    table: Table
    values: dict[str, Any]
    replace: bool = False


class Purge(msgspec.Struct, frozen=True):
    """The facts of these workflows, which are over."""

    workflows: list[str]


Operation = Move | Update | Insert | Purge | Fact
"""A bare fact is appended as it is."""
