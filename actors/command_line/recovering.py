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
from bus.action import Action, Do
from bus.client import Client
from bus.errors import Refused
from bus.facts import TerminalExited
from bus.kinds import Ending
from bus.requests import RuntimeInfo, TaskRetry, Why, WorkflowList, WorkflowPrepare
from bus.rows import Task, Workflow
from bus.status import FINAL_WORKFLOW, TaskStatus, WorkflowStatus

_QUIET_SECONDS = 1.5
"""After so long without a fact, a runtime that has just started knows what was lost."""
_SETTLE_SECONDS = 30.0


class Step(NamedTuple):
    """One step: what happened, and the request that goes on."""

    what: str
    request: TaskRetry | WorkflowPrepare

    @property
    def command(self) -> str:
        """The command that takes this step."""
        if isinstance(self.request, TaskRetry):
            return command_for(Action(Do.RETRY, self.request.task))
        return command_for(Action(Do.PREPARE, self.request.workflow))


def connected(home: Path) -> Client:
    """Return a client of the home's runtime, which is started if there is none, and has settled."""
    client = Client(ensure(home).requests)
    deadline = time.monotonic() + _SETTLE_SECONDS
    head, since = -1, time.monotonic()
    while time.monotonic() - since < _QUIET_SECONDS and time.monotonic() < deadline:
        now = client.ask(RuntimeInfo()).head
        if now != head:
            head, since = now, time.monotonic()
        time.sleep(0.1)
    return client


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


def _was_lost(client: Client, task: Task) -> bool:
    """Return whether the last end of a program of this task was the loss of its host."""
    for fact in client.ask(Why(address=task.address)).facts:
        if isinstance(fact, TerminalExited):
            if fact.kind == Ending.LOST:
                return True
            if fact.kind != Ending.NEVER_STARTED:
                return False
    return False


def take(client: Client, step: Step) -> str:
    """Take a step; return what came of it."""
    try:
        row = client.ask(step.request).row
    except Refused as refused:
        return f"not done: {refused}"
    return f"done: {row.address} is {row.status}"
