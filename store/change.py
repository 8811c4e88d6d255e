"""Changes: lists of operations that the journal stores whole or not at all.

They are plain data. The pure core and the actors make them, and the journal carries them out.
"""

from collections.abc import Mapping
from typing import Any, Literal, Unpack

import msgspec

from bus.facts import (
    Fact,
    ProviderFailed,
    ProviderLimited,
    ProviderRecovered,
    TaskMoved,
    TerminalMoved,
    WorkflowMoved,
)
from bus.peer import NOBODY, Caller
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store.columns import (
    MergeColumns,
    QuestionColumns,
    TaskColumns,
    TerminalColumns,
    WorkflowColumns,
)

Table = Literal[
    "workflow",
    "merge",
    "task",
    "terminal",
    "cursor",
    "commit",
    "actorstate",
    "account",
    "notice",
    "usage",
    "question",
    "meta",
]

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
    "account": "name",
    "question": "key",
    "notice": "recipient",
    "meta": "key",
}


_encode = msgspec.json.Encoder().encode


class Move(msgspec.Struct, frozen=True):
    """One transition: a compare-and-swap of `status` from `old` to `new`, with its fact.

    `sets` are further columns of the row, `caller` is who caused the transition. It fails with
    `IllegalTransition` if `new` may not follow `old`, and with `LostRace` if the row has another
    status than `old`.
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
        """The primary key of the row."""
        return self.address.rstrip("/") if self.table == "workflow" else self.address

    def fact(self) -> Fact:
        """Return the fact of the transition."""
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
    """A change of columns of one row; `LostRace` unless it has the values of `expect`.

    The terminal's actor puts its incarnation into `expect`, as its fence.
    """

    table: Table
    key: str
    sets: dict[str, Any]
    expect: dict[str, Any] = {}


def update_workflow(
    id: str, expect: WorkflowColumns | None = None, **sets: Unpack[WorkflowColumns]
) -> Update:
    """Return a change of columns of a workflow's row, if it still has those of `expect`."""
    return Update("workflow", id, as_stored(sets), as_stored(expect or {}))


def explain_workflow(id: str, reason: str, *, instead_of: str | None = None) -> Update:
    """Return a change of a workflow's reason alone, if it still has the reason `instead_of`."""
    expect = {} if instead_of is None else {"reason": instead_of}
    return Update("workflow", id, {"reason": reason}, expect)


def update_merge(
    workflow: str, expect: MergeColumns | None = None, **sets: Unpack[MergeColumns]
) -> Update:
    """Return a change of columns of a workflow's merge, if it still has those of `expect`."""
    return Update("merge", workflow, as_stored(sets), as_stored(expect or {}))


def update_task(
    address: str, expect: TaskColumns | None = None, **sets: Unpack[TaskColumns]
) -> Update:
    """Return a change of columns of a task's row, if it still has those of `expect`."""
    return Update("task", address, as_stored(sets), as_stored(expect or {}))


def update_terminal(
    address: str, expect: TerminalColumns | None = None, **sets: Unpack[TerminalColumns]
) -> Update:
    """Return a change of columns of a terminal's row, if it still has those of `expect`."""
    return Update("terminal", address, as_stored(sets), as_stored(expect or {}))


def update_question(
    workflow: str,
    number: int,
    expect: QuestionColumns | None = None,
    **sets: Unpack[QuestionColumns],
) -> Update:
    """Return a change of columns of a question, if it still has those of `expect`."""
    key = question_key(workflow, number)
    return Update("question", key, as_stored(sets), as_stored(expect or {}))


def question_key(workflow: str, number: int) -> str:
    """Return the key of a workflow's question."""
    return f"{workflow}/{number}"


def as_stored(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns as the database stores them: a list or a dict becomes JSON text."""
    return {
        name: _encode(value).decode() if isinstance(value, list | dict) else value
        for name, value in columns.items()
    }


class Insert(msgspec.Struct, frozen=True):
    """A new row. If its key exists: `Duplicate`, or with `replace` the new row replaces it."""

    table: Table
    values: dict[str, Any]
    replace: bool = False


class Purge(msgspec.Struct, frozen=True):
    """The removal of all facts of these workflows, which must be over."""

    workflows: list[str]


class Forget(msgspec.Struct, frozen=True):
    """The removal of a workflow that is over: its rows, and all its facts."""

    workflow: str


class AccountNews(msgspec.Struct, frozen=True):
    """What was found out of an account at a provider: its row is set to what `fact` says.

    Several actors find out the same. The fact itself is stored only if it is news: of a limit, if
    that is not known or its time has passed; of the end of a limit, if one is known.
    """

    fact: ProviderLimited | ProviderFailed | ProviderRecovered


Operation = Move | Update | Insert | Purge | Forget | AccountNews | Fact
"""One operation of a change; a bare fact is appended as it is."""
