"""A draft of the next state. It records each change as the operation that stores it."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Unpack

import msgspec

from bus import address
from bus.errors import Refused, illegal
from bus.facts import Fact
from bus.kinds import LimitKind, Role
from bus.peer import NOBODY, By, Caller
from bus.plan import Plan, TaskPlan, TerminalPlan
from bus.questions import Question
from bus.reasons import Reason
from bus.rows import Task, Terminal, Workflow
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store.accounts import serves_again
from store.change import (
    Move,
    Operation,
    Update,
    as_stored,
    update_merge,
    update_question,
    update_terminal,
    update_workflow,
)
from store.columns import (
    MergeColumns,
    QuestionColumns,
    TaskColumns,
    TerminalColumns,
    WorkflowColumns,
)
from store.errors import IllegalTransition
from store.submission import helper_plan, task_rows, terminal_rows
from store.transitions import is_legal


class Draft:
    """One workflow as it will be, and `operations`, the changes that lead there.

    `token` is the identity given to a program that this decision starts. `now` is the time of the
    event, as the facts write it. `clock` is the reading of `bus.clock.awake` from which limits that
    begin now are counted. `caller` is who causes the change.
    """

    def __init__(
        self,
        workflow: Workflow,
        plan: Plan,
        *,
        token: str,
        now: str,
        clock: float,
        caller: Caller = NOBODY,
    ) -> None:
        self.workflow = copied(workflow)
        self.plan = plan
        self.token = token
        self.now = now
        self.clock = clock
        self.caller = caller
        self.operations: list[Operation] = []

    @property
    def who(self) -> str:
        """Whoever gives a command, for a reason."""
        return "the orchestrator" if self.caller.by == By.ORCHESTRATOR else "a person"

    # ---- looking -----------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether the workflow is `running`."""
        return self.workflow.status == WorkflowStatus.RUNNING

    def terminals(self) -> list[Terminal]:
        """Return all terminals of the workflow."""
        return self.workflow.terminals()

    def find(self, address: str) -> Terminal | None:
        """Return the terminal at `address`; None if there is none."""
        return next((t for t in self.terminals() if t.address == address), None)

    def task_at(self, address: str) -> Task | None:
        """Return the task at `address`; None if there is none."""
        return next((t for t in self.workflow.tasks if t.address == address), None)

    def planned(self, task: Task, terminal: Terminal) -> TerminalPlan:
        """Return what the plan says of a task's terminal, before any fallback."""
        if terminal is task.error and self.plan.error is not None:
            return helper_plan(self.plan.error, "repair the task")
        found = next(each for each in self.plan.task if each.id == task.id)
        return found.terminal[min(terminal.position, len(found.terminal)) - 1]

    def task_of(self, terminal: Terminal) -> Task | None:
        """Return the task of a terminal; None for the merge terminal."""
        return self.task_at(terminal.task) if terminal.task else None

    # ---- changing ----------------------------------------------------------------------

    def move_workflow(
        self, new: WorkflowStatus, reason: str, **sets: Unpack[WorkflowColumns]
    ) -> None:
        """Change the workflow's status, and columns with it. Raise `IllegalTransition`."""
        self._move("workflow", self.workflow, new, reason, sets)

    def move_task(
        self, task: Task, new: TaskStatus, reason: str, **sets: Unpack[TaskColumns]
    ) -> None:
        """Change a task's status, and columns with it. Raise `IllegalTransition`."""
        self._move("task", task, new, reason, sets)

    def move_terminal(
        self, terminal: Terminal, new: TerminalStatus, reason: str, **sets: Unpack[TerminalColumns]
    ) -> None:
        """Change a terminal's status, and columns with it. Raise `IllegalTransition`."""
        self._move("terminal", terminal, new, reason, _calm(sets))

    def set_merge(self, **sets: Unpack[MergeColumns]) -> None:
        """Change columns of the merge.

        Each change of `stage` is a compare-and-swap, because the merger changes it to `landing`.
        """
        merge = self.workflow.merge
        expect: MergeColumns = {"stage": merge.stage} if "stage" in sets else {}
        self.operations.append(update_merge(self.workflow.id, expect, **sets))
        for name, value in sets.items():
            setattr(merge, name, value)

    def set_task(self, task: Task, **sets: Unpack[TaskColumns]) -> None:
        """Change columns of a task."""
        self._set("task", task.address, task, sets)

    def explain(self, task: Task, reason: str) -> None:
        """Change the reason of a task's status; the status stays."""
        self._set("task", task.address, task, {"reason": reason})

    def set_terminal(self, terminal: Terminal, **sets: Unpack[TerminalColumns]) -> None:
        """Change columns of a terminal."""
        self._set("terminal", terminal.address, terminal, _calm(sets))

    def insert(self, operations: list[Operation], terminal: Terminal) -> None:
        """Add a terminal that the plan did not number: an error or a merge terminal."""
        self.operations += operations
        task = self.task_of(terminal)
        if task is None:
            self.workflow.merge_terminal = terminal
        else:
            task.terminals.append(terminal)

    def set_plan(self, plan: Plan) -> None:
        """Store a changed plan, and decide by it from now on."""
        self.plan = plan
        change = update_workflow(self.workflow.id, plan=msgspec.json.encode(plan))
        self.operations.append(change)

    def add_task(self, plan: TaskPlan) -> Task:
        """Add a task of the plan, with its terminals, at the end."""
        id, position = self.workflow.id, len(self.workflow.tasks) + 1
        self.operations += task_rows(id, position, plan)
        task = Task(
            address=address.task(id, plan.id),
            id=plan.id,
            name=plan.name or plan.id,
            position=position,
            branch=plan.branch,
            status=TaskStatus.PENDING,
            after=plan.after,
            terminals=[],
        )
        self.workflow.tasks.append(task)
        for place, terminal in enumerate(plan.terminal, start=1):
            task.terminals.append(_planned(task, id, place, terminal))
        return task

    def add_terminal(self, task: Task, plan: TerminalPlan) -> Terminal:
        """Add a terminal of the plan at the end of a task's line."""
        id, place = self.workflow.id, len(task.line) + 1
        new = _planned(task, id, place, plan)
        self.operations += terminal_rows(new.address, id, task.address, place, plan)
        task.terminals.append(new)
        return new

    def replan(self, terminal: Terminal, plan: TerminalPlan) -> None:
        """Give an existing terminal another plan, such as the program that was named now."""
        terminal.cli = plan.cli
        change = update_terminal(terminal.address, cli=plan.cli, plan=msgspec.json.encode(plan))
        self.operations.append(change)

    def use_provider(self, terminal: Terminal, plan: TerminalPlan, name: str, used: int) -> None:
        """Give a terminal a provider of its `fallback`, of which so many are `used` up then.

        It has it from its next start on.
        """
        chosen = msgspec.structs.replace(plan, provider=name)
        self.set_terminal(terminal, fallbacks=used)
        columns = {"plan": msgspec.json.encode(chosen)}
        self.operations.append(Update("terminal", terminal.address, columns))

    def set_capped(self, row: Workflow | Task | Terminal, percent: int) -> None:
        """Note the share of a cap that was told."""
        if isinstance(row, Workflow):
            self._set("workflow", row.id, row, {"capped": percent})
        elif isinstance(row, Task):
            self.set_task(row, capped=percent)
        else:
            self.set_terminal(row, capped=percent)

    def free_account(self, terminal: Terminal) -> None:
        """Store that nothing is known to limit the account of a terminal any more."""
        self.operations.append(serves_again(terminal.account, terminal.address))

    def set_question(self, question: Question, **sets: Unpack[QuestionColumns]) -> None:
        """Change columns of a question. Its stage is compared, because others change it too."""
        expect: QuestionColumns = {"stage": question.stage}
        id, number = self.workflow.id, question.number
        self.operations.append(update_question(id, number, expect, **sets))
        for name, value in sets.items():
            setattr(question, name, value)

    def attempt(self, change: Callable[[], None]) -> Refused | None:
        """Make a change that may be refused; then everything is as before, and the error returned.

        Rows that were looked up before are not those of the draft after an error.
        """
        kept = copied(self.workflow), self.plan, len(self.operations)
        try:
            change()
            refused = None
        except Refused as error:
            refused = error
        except IllegalTransition as error:
            refused = illegal(Reason.OVER, str(error))
        if refused is not None:
            self.workflow, self.plan, length = kept
            del self.operations[length:]
        return refused

    def tell(self, fact: Fact) -> None:
        """Store a fact with the changes."""
        self.operations.append(fact)

    def _set(self, table: Any, key: str, row: Any, sets: Mapping[str, Any]) -> None:
        changed = {name: value for name, value in sets.items() if getattr(row, name) != value}
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            self.operations.append(Update(table, key, as_stored(changed)))

    def _move(self, table: Any, row: Any, new: Any, reason: str, sets: Mapping[str, Any]) -> None:
        if not is_legal(row.status, new):
            raise IllegalTransition(f"{row.address}: {row.status} -> {new} is no legal step")
        move = Move(table, row.address, row.status, new, reason, dict(sets), self.caller)
        self.operations.append(move)
        row.status = new
        row.reason = reason
        for name, value in sets.items():
            setattr(row, name, value)


def _calm(sets: TerminalColumns) -> TerminalColumns:
    """Clear `blocked`, `stalled`, `idle` and `limited` if the program is to end, or is kept.

    One that is to end is not kept any more.
    """
    ends, keeps = sets.get("shall_run") is False, sets.get("kept") is True
    if ends or keeps:
        calm: TerminalColumns = {"blocked": "", "stalled": False, "idle": "", "resting": False}
        return {**sets, **calm, "kept": keeps, "limited": LimitKind.NONE, "until": ""}
    return sets


def copied(workflow: Workflow) -> Workflow:
    """Return a copy of the rows. It shares their values, which are never changed in place.

    `deepcopy` costs 200 times as much, for each event.
    """
    new = copy.copy(workflow)
    new.merge = copy.copy(workflow.merge)
    new.merge_terminal = copy.copy(workflow.merge_terminal)
    new.tasks = [copy.copy(task) for task in workflow.tasks]
    new.questions = [copy.copy(question) for question in workflow.questions]
    for task in new.tasks:
        task.terminals = [copy.copy(terminal) for terminal in task.terminals]
    return new


def _planned(task: Task, workflow: str, place: int, plan: TerminalPlan) -> Terminal:
    """Return the row of a terminal of the plan as it is inserted."""
    return Terminal(
        address=address.terminal(workflow, task.id, place),
        task=task.address,
        position=place,
        role=plan.role,
        cli=plan.cli,
        status=TerminalStatus.NOT_STARTED,
    )


def new_helper(address: str, task: str, position: int, cli: str) -> Terminal:
    """Return the row of an error or merge terminal as it is inserted."""
    return Terminal(
        address=address,
        task=task,
        position=position,
        role=Role.CODER,
        cli=cli,
        status=TerminalStatus.NOT_STARTED,
    )
