"""What can be written: a change is a list of operations that are stored as one.

Plain data made by the pure core and by the actors, carried out by the journal.
"""

from typing import Any, Literal

import msgspec

from bus.facts import Fact, TaskMoved, TerminalMoved, WorkflowMoved
from bus.peer import NOBODY, Caller
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus

Table = Literal["workflow", "task", "terminal", "cursor", "commit", "actorstate", "meta"]

Status = WorkflowStatus | TaskStatus | TerminalStatus

_MOVED: dict[str, type[Any]] = {
    "workflow": WorkflowMoved,
    "task": TaskMoved,
    "terminal": TerminalMoved,
}
KEYS = {
    "workflow": "id",
    "task": "address",
    "terminal": "address",
    "actorstate": "address",
    "meta": "key",
}


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


class Insert(msgspec.Struct, frozen=True):
    """A new row. `Duplicate` where its key is taken; with `replace`, taken over."""

    table: Table
    values: dict[str, Any]
    replace: bool = False


class Delete(msgspec.Struct, frozen=True):
    """The row with this key, if it is there."""

    table: Table
    key: str


class Purge(msgspec.Struct, frozen=True):
    """The facts of these workflows, which are over."""

    workflows: list[str]


Operation = Move | Update | Insert | Delete | Purge | Fact
"""A bare fact is appended as it is."""
