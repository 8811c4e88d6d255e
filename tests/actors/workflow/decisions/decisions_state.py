"""The journal as a pure function: operations applied to rows, for tests of the core."""

import copy
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.workflow.decisions.draft import copied
from bus.facts import Fact
from bus.questions import Cause, Question
from bus.rows import Merge, Task, Terminal, Workflow
from bus.status import QuestionStage, TaskStatus, TerminalStatus, WorkflowStatus
from store.change import AccountNews, Insert, Move, Operation, Update, question_key
from store.errors import IllegalTransition, LostRace
from store.transitions import is_legal


def apply(
    workflow: Workflow | None, operations: Sequence[Operation], head: int = 0
) -> tuple[Workflow, list[Fact]]:
    """The rows after `operations`, and the facts with their seqs after `head`.

    Raises what the journal raises; `workflow` stays as it was.
    """
    state = copied(workflow) if workflow is not None else None
    told: list[Fact] = []
    for operation in operations:
        match operation:
            case Fact():
                told.append(copy.copy(operation))
            case Move():
                assert state is not None
                told.append(_move(state, operation))
            case Update():
                assert state is not None
                _update(state, operation)
            case AccountNews():
                pass  # no account is limited here, so nothing of it is news
            case Insert():
                state = _insert(state, operation)
    for seq, fact in enumerate(told, start=head + 1):
        fact.seq = seq
    assert state is not None
    state.tasks.sort(key=lambda task: task.position)
    return state, told


def _rows(state: Workflow) -> dict[tuple[str, str], Any]:
    rows: dict[tuple[str, str], Any] = {("workflow", state.id): state}
    rows["merge", state.id] = state.merge
    rows |= {("question", question_key(state.id, q.number)): q for q in state.questions}
    rows |= {("task", task.address): task for task in state.tasks}
    return rows | {("terminal", t.address): t for t in state.terminals()}


def _move(state: Workflow, move: Move) -> Fact:
    row = _rows(state)["terminal" if move.table == "terminal" else move.table, move.key]
    if not is_legal(move.old, move.new):
        raise IllegalTransition(f"{move.address}: {move.old} -> {move.new}")
    if row.status != move.old:
        raise LostRace(f"{move.address}: {row.status}, not {move.old}")
    row.status, row.reason = move.new, move.reason
    for name, value in move.sets.items():
        _set(row, name, value)
    fact = move.fact()
    if isinstance(row, Terminal):
        fact.incarnation = row.incarnation  # type: ignore[attr-defined]
    return fact


def _update(state: Workflow, update: Update) -> None:
    row = _rows(state)[update.table, update.key]
    for name, value in update.expect.items():
        if getattr(row, name) != value:
            raise LostRace(f"{update.key}: {name} is {getattr(row, name)!r}, not {value!r}")
    for name, value in update.sets.items():
        _set(row, name, value)


def _set(row: Any, column: str, value: Any) -> None:
    if column == "plan":  # a terminal's plan is no part of its shown row
        return
    if column in ("files", "after", "proposal"):
        value = msgspec.json.decode(value)
    if column == "causes":
        value = msgspec.json.decode(value, type=list[Cause])
    assert hasattr(row, column), column
    setattr(row, column, value)


def _insert(state: Workflow | None, insert: Insert) -> Workflow:
    unread = ("plan", "workflow", "settings", "submission")
    values = {k: v for k, v in insert.values.items() if k not in unread}
    if insert.table == "workflow":
        return Workflow(
            **values, address=f"{values['id']}/", status=WorkflowStatus.CREATED, merge=Merge()
        )
    assert state is not None
    if insert.table in ("merge", "account"):
        return state
    if insert.table == "question":
        causes = msgspec.json.decode(values["causes"], type=list[Cause])
        question = Question(number=values["number"], stage=QuestionStage.WAITING, causes=causes)
        state.questions.append(question)
        return state
    if insert.table == "task":
        values["after"] = msgspec.json.decode(values["after"])
        state.tasks.append(Task(**values, status=TaskStatus.PENDING, terminals=[]))
        return state
    assert insert.table == "terminal"
    terminal = Terminal(
        **{**values, "task": values["task"] or ""}, status=TerminalStatus.NOT_STARTED
    )
    if not terminal.task:
        assert state.merge_terminal is None
        state.merge_terminal = terminal
        return state
    task = next(t for t in state.tasks if t.address == terminal.task)
    assert all(t.address != terminal.address for t in task.terminals)
    task.terminals.append(terminal)
    task.terminals.sort(key=lambda t: t.position)
    return state
