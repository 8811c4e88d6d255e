"""A draft of the next state: the core changes it, and each change is recorded as the
operation that stores it.
"""

import copy
import json
from typing import Any

from bus.facts import Fact
from bus.plan import Plan
from bus.rows import Task, Terminal, Workflow
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store.change import Move, Operation, Update
from store.errors import IllegalTransition
from store.transitions import is_legal


class Draft:
    """One workflow as it will be, and `operations`, what it takes to get there.

    `token` is the identity given to a program that this decision starts; `now` is the
    time of the event, as the facts write it.
    """

    def __init__(self, workflow: Workflow, plan: Plan, *, token: str, now: str) -> None:
        self.workflow = copy.deepcopy(workflow)
        self.plan = plan
        self.token = token
        self.now = now
        self.operations: list[Operation] = []

    # ---- looking -----------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        return self.workflow.status == WorkflowStatus.RUNNING

    def terminals(self) -> list[Terminal]:
        return self.workflow.terminals()

    def find(self, address: str) -> Terminal | None:
        return next((t for t in self.terminals() if t.address == address), None)

    def task_at(self, address: str) -> Task | None:
        return next((t for t in self.workflow.tasks if t.address == address), None)

    def task_of(self, terminal: Terminal) -> Task | None:
        return self.task_at(terminal.task) if terminal.task else None

    # ---- changing ----------------------------------------------------------------------

    def move_workflow(self, new: WorkflowStatus, reason: str, **sets: Any) -> None:
        self._move("workflow", self.workflow, new, reason, sets)

    def move_task(self, task: Task, new: TaskStatus, reason: str, **sets: Any) -> None:
        self._move("task", task, new, reason, sets)

    def move_terminal(
        self, terminal: Terminal, new: TerminalStatus, reason: str, **sets: Any
    ) -> None:
        self._move("terminal", terminal, new, reason, sets)

    def set_workflow(self, **sets: Any) -> None:
        self._set("workflow", self.workflow.id, self.workflow, sets)

    def set_merge(self, **sets: Any) -> None:
        """Columns of the merge's progress, by their names in `bus.rows.Merge`."""
        for name, value in sets.items():
            setattr(self.workflow.merge, name, value)
        columns = {f"merge_{name}": value for name, value in sets.items()}
        if "files" in sets:
            columns["merge_files"] = json.dumps(sets["files"])
        self.operations.append(Update("workflow", self.workflow.id, columns))

    def set_task(self, task: Task, **sets: Any) -> None:
        self._set("task", task.address, task, sets)

    def set_terminal(self, terminal: Terminal, **sets: Any) -> None:
        self._set("terminal", terminal.address, terminal, sets)

    def insert(self, operations: list[Operation], terminal: Terminal) -> None:
        """A terminal that the plan did not number: an error or a merge terminal."""
        self.operations += operations
        task = self.task_of(terminal)
        if task is None:
            self.workflow.merge_terminal = terminal
        else:
            task.terminals.append(terminal)

    def tell(self, fact: Fact) -> None:
        self.operations.append(fact)

    def _set(self, table: Any, key: str, row: Any, sets: dict[str, Any]) -> None:
        changed = {name: value for name, value in sets.items() if getattr(row, name) != value}
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            self.operations.append(Update(table, key, changed))

    def _move(self, table: Any, row: Any, new: Any, reason: str, sets: dict[str, Any]) -> None:
        if not is_legal(row.status, new):
            raise IllegalTransition(f"{row.address}: {row.status} -> {new} is no legal step")
        self.operations.append(Move(table, row.address, row.status, new, reason, sets))
        row.status = new
        row.reason = reason
        for name, value in sets.items():
            setattr(row, name, value)


def new_helper(address: str, task: str, cli: str) -> Terminal:
    """The row of an error or merge terminal as it is inserted."""
    return Terminal(
        address=address,
        task=task,
        position=0,
        role="coder",
        cli=cli,
        status=TerminalStatus.NOT_STARTED,
    )
