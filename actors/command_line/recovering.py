"""Go on after a reboot or a crash, for the command `recover`: name each step, and take it.

A runtime that starts takes over what still runs, and goes on with merges and tests by itself. What
it does not do is to start programs again that were lost with the machine: their tasks have failed.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from actors.command_line.client.daemon import ensure
from actors.command_line.output.actions import command_for
from bus import address as addresses
from bus.action import Action, Do
from bus.client import Client
from bus.errors import Refused
from bus.facts import (
    RuntimeStarted,
    TaskMoved,
    TerminalAdopted,
    TerminalExited,
    TerminalMoved,
)
from bus.kinds import Ending
from bus.requests import (
    RuntimeInfo,
    TaskRetry,
    Why,
    WorkflowList,
    WorkflowPrepare,
    WorkflowRepair,
)
from bus.rows import Task, Terminal, Workflow
from bus.status import (
    FINAL_WORKFLOW,
    MergeStage,
    TaskStatus,
    TerminalStatus,
    WorkflowStatus,
)

_SETTLE_SECONDS = 30.0
_LOOK_SECONDS = 0.1


class Step(NamedTuple):
    """One step: what happened, and the request that goes on."""

    what: str
    request: TaskRetry | WorkflowPrepare | WorkflowRepair

    @property
    def command(self) -> str:
        """The command that takes this step."""
        if isinstance(self.request, TaskRetry):
            return command_for(Action(Do.RETRY, self.request.task))
        if isinstance(self.request, WorkflowRepair):
            return command_for(Action(Do.REPAIR, self.request.workflow))
        return command_for(Action(Do.PREPARE, self.request.workflow))


def connected(home: Path) -> Client:
    """Return a client of the home's runtime, which is started if there is none."""
    return Client(ensure(home).requests)


def unsettled(client: Client) -> list[str]:
    """Wait until the runtime knows of each program whether it runs, for at most 30 s.

    Return the addresses of the terminals of which it does not know yet.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    began: int | None = None
    settled: set[tuple[str, int]] = set()
    while True:
        began = began or _began(client)
        left = []
        for row in _terminals(client):
            at = (row.address, row.incarnation)
            if began and (at in settled or _is_settled(client, row, began)):
                settled.add(at)
            else:
                left.append(row.address)
        if (began and not left) or time.monotonic() >= deadline:
            return left
        time.sleep(_LOOK_SECONDS)


def _began(client: Client) -> int | None:
    """Return the `seq` of the fact that the runtime that serves has started, once it is told."""
    pid = client.ask(RuntimeInfo()).pid
    facts = client.ask(Why(address=addresses.RUNTIME)).facts
    newest = next((fact for fact in facts if isinstance(fact, RuntimeStarted)), None)
    return newest.seq if newest and newest.pid == pid else None


def _terminals(client: Client) -> list[Terminal]:
    rows = client.ask(WorkflowList())
    going = [row for row in rows if row.status not in FINAL_WORKFLOW]
    return [terminal for row in going for terminal in row.terminals()]


def _is_settled(client: Client, row: Terminal, began: int) -> bool:
    """Return whether this runtime has told of the terminal's program, and decided what follows."""
    if row.gone:
        return not (row.shall_run and row.launch_over)
    facts = client.ask(Why(address=row.address)).facts
    mine = [fact for fact in facts if getattr(fact, "incarnation", None) == row.incarnation]
    if mine and mine[-1].seq > began:
        return True  # it was started by this runtime
    return any(isinstance(fact, TerminalAdopted) and fact.seq > began for fact in mine)


def steps(client: Client) -> list[Step]:
    """Return the steps that start again what was lost with the machine."""
    rows = client.ask(WorkflowList())
    return [step for row in rows for step in _of_workflow(client, row)]


def _of_workflow(client: Client, row: Workflow) -> Iterator[Step]:
    if row.status in FINAL_WORKFLOW:
        return
    failed = [task for task in row.tasks if task.status == TaskStatus.FAILED]
    for task in failed:
        if _was_lost(client, task):
            name = task.address.rstrip("/")
            yield Step(f"{task.address} was lost with its program", TaskRetry(task=name))
    pending = all(task.status == TaskStatus.PENDING for task in row.tasks)
    lost = row.status == WorkflowStatus.FAILED and pending
    if lost and any(_was_lost(client, task) for task in row.tasks):
        said = f"the terminals of {row.address} were lost before its start"
        yield Step(said, WorkflowPrepare(workflow=row.id))
    helper = row.merge_terminal
    if not failed and helper is not None and helper.status == TerminalStatus.FAILED:
        red = row.status == WorkflowStatus.FAILED and row.merge.red
        conflict = row.merges and row.merge.stage == MergeStage.CONFLICT
        if (red or conflict) and _was_lost(client, helper):
            said = f"{helper.address} was lost with its program"
            yield Step(said, WorkflowRepair(workflow=row.id))


def _was_lost(client: Client, row: Task | Terminal) -> bool:
    """Return whether a program of the task or terminal was lost, and its status follows from that.

    A program that was lost after its task had failed is not the reason.
    """
    facts = client.ask(Why(address=row.address)).facts
    kind = TaskMoved if isinstance(row, Task) else TerminalMoved
    moves = [at for at, fact in enumerate(facts) if isinstance(fact, kind)]
    has_failed = row.status in (TaskStatus.FAILED, TerminalStatus.FAILED)
    failed = moves[0] + 1 if has_failed and moves else 0
    before = next((at for at in moves if at >= failed), len(facts))
    exits = (fact for fact in facts[failed:before] if isinstance(fact, TerminalExited))
    return any(fact.kind == Ending.LOST for fact in exits)


def reason_of(address: str) -> str:
    """Return the command that says why a terminal has its status."""
    return command_for(Action(Do.WHY, address.rstrip("/")))


def take(client: Client, step: Step) -> str:
    """Take a step; return what came of it."""
    try:
        row = client.ask(step.request).row
    except Refused as refused:
        return f"not done: {refused}"
    return f"done: {row.address} is {row.status}"
