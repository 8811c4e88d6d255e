"""Workflows with their merge, tasks, terminals and questions.

Every decision reads a whole workflow, and hundreds of tasks take milliseconds. So the last state of
each workflow that is not cleaned up is kept, and only the rows that changed since are read again
(`store.changing`). A state never changes: the next one shares with it all rows that are the same.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import Protocol, TypeVar

import msgspec

from bus import questions, rows
from store.changing import Changes, Row, by_table
from store.json_rows import one_task, one_terminal, whole_workflow, without_tasks
from store.used import Ask

# Not strict: SQLite's booleans are 0 and 1.
_workflow = msgspec.json.Decoder(rows.Workflow, strict=False).decode
_merge = msgspec.json.Decoder(rows.Merge, strict=False).decode
_task = msgspec.json.Decoder(rows.Task, strict=False).decode
_terminal = msgspec.json.Decoder(rows.Terminal, strict=False).decode
_question = msgspec.json.Decoder(questions.Question, strict=False).decode
_position = attrgetter("position")
_number = attrgetter("number")

T = TypeVar("T")

_MANY = 100
"""So many changed rows take longer than the whole workflow."""


class Sound(Protocol):
    """It decodes a stored value; an error of it is damage."""

    def __call__(self, decode: Callable[[bytes], T], stored: bytes) -> T:
        """Return the value. Raise `StoreError`."""
        ...


class Workflows:
    """Reads workflows for a `Reader`, whose lock its caller holds for `current`."""

    def __init__(
        self,
        ask: Ask,
        sound: Sound,
        one_state: Callable[[], AbstractContextManager[None]],
        changes: Changes,
    ) -> None:
        self._ask = ask
        self._sound = sound
        self._one_state = one_state
        self._changes = changes
        self._known: dict[str, rows.Workflow] = {}

    def terminal(self, address: str) -> rows.Terminal | None:
        """Return a terminal's row, or None."""
        return next(iter(self._each(one_terminal(), [address], _terminal)), None)

    def read(self, id: str) -> rows.Workflow | None:
        """Return a workflow as it is stored now, or None."""
        found: defaultdict[str, list[bytes]] = defaultdict(list)
        for table, body in self._ask(whole_workflow(), id):
            found[table].append(body)
        workflow = self._top(found)
        if workflow is None:
            return None
        terminals = [self._sound(_terminal, body) for body in found["terminal"]]
        by_task: dict[str, list[rows.Terminal]] = {}
        for terminal in sorted(terminals, key=_position):
            by_task.setdefault(terminal.task, []).append(terminal)
        workflow.merge_terminal = next(iter(by_task.get("", [])), None)
        workflow.tasks = [self._sound(_task, body) for body in found["task"]]
        workflow.tasks.sort(key=_position)
        for task in workflow.tasks:
            task.terminals = by_task.get(task.address, [])
        return workflow

    def current(self, id: str) -> rows.Workflow | None:
        """Return a committed state, at least as new as every commit that is over, or None.

        It is shared: nobody may change it.
        """
        changed = self._changes.take(id)
        known = self._known.get(id)
        if known is not None and not changed:
            return known
        try:
            found = None
            if known is not None and len(changed) < _MANY:
                found = self._renewed(id, known, changed)
            if found is None:
                self._changes.follow(id)  # what changes from here on may be missed below
                found = self.read(id)
        except BaseException:
            self._forget(id)
            raise
        if found is None or found.tidied:
            self._forget(id)
        else:
            self._known[id] = found
        return found

    def _forget(self, id: str) -> None:
        self._known.pop(id, None)
        self._changes.leave(id)

    def _renewed(self, id: str, known: rows.Workflow, changed: set[Row]) -> rows.Workflow | None:
        """Return the known state with what changed; None if the workflow is gone."""
        with self._one_state():
            found: defaultdict[str, list[bytes]] = defaultdict(list)
            for table, body in self._ask(without_tasks(), id):
                found[table].append(body)
            keys = by_table(changed | self._changes.visible(id))
            tasks = list(self._each(one_task(), keys.get("task", []), _task))
            terminals = list(self._each(one_terminal(), keys.get("terminal", []), _terminal))
        workflow = self._top(found)
        if workflow is None:
            return None
        workflow.merge_terminal = known.merge_terminal
        own = {task.address: task for task in known.tasks}
        for task in tasks:
            task.terminals = own[task.address].terminals if task.address in own else []
            own[task.address] = task
        for terminal in terminals:
            if terminal.task:
                own[terminal.task] = _with(own[terminal.task], terminal)
            else:
                workflow.merge_terminal = terminal
        workflow.tasks = sorted(own.values(), key=_position)
        return workflow

    def _top(self, found: defaultdict[str, list[bytes]]) -> rows.Workflow | None:
        """Return the workflow with its merge and its questions, without tasks."""
        if not found["workflow"]:
            return None
        workflow = self._sound(_workflow, found["workflow"][0])
        workflow.merge = self._sound(_merge, found["merge"][0])
        workflow.questions = [self._sound(_question, body) for body in found["question"]]
        workflow.questions.sort(key=_number)
        return workflow

    def _each(self, sql: str, keys: list[str], decode: Callable[[bytes], T]) -> Iterator[T]:
        for key in keys:
            for _, body in self._ask(sql, key):
                yield self._sound(decode, body)


def _with(task: rows.Task, terminal: rows.Terminal) -> rows.Task:
    """Return the task with a terminal that changed, or is new."""
    new = copy.copy(task)
    others = [each for each in task.terminals if each.address != terminal.address]
    new.terminals = sorted([*others, terminal], key=_position)
    return new
