"""Ask the runtime for what the views of workflows show and no row holds.

These are the choices of open questions, since when things wait for a person, and the time at which
a workflow ended.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from actors.command_line.output.times import read
from bus import clock
from bus.client import Client
from bus.facts import (
    AnyFact,
    MergeConflict,
    RepositoryChanged,
    TaskMoved,
    TaskWaits,
    TerminalBlocked,
    TerminalIdle,
    TerminalLimited,
    TerminalStalled,
    WorkflowMoved,
)
from bus.requests import Why
from bus.rows import Workflow
from bus.status import FINAL_WORKFLOW

BEGINS = (
    *(MergeConflict, RepositoryChanged, TaskMoved, TaskWaits, TerminalBlocked, TerminalIdle),
    *(TerminalLimited, TerminalStalled, WorkflowMoved),
)
"""The facts with which something begins to wait for a person."""

Facts = Callable[[Workflow], list[AnyFact]]

_SHOWN = timedelta(days=1)
"""How long a workflow is shown after its end."""


def questions(client: Client, workflows: list[Workflow]) -> dict[str, TerminalBlocked]:
    """Return the newest question of each blocked terminal, by the terminal's address."""
    found = {}
    for workflow in workflows:
        for terminal in workflow.terminals():
            if terminal.blocked and terminal.live:
                told = client.ask(Why(address=terminal.address)).facts
                asked = next((fact for fact in told if isinstance(fact, TerminalBlocked)), None)
                if asked is not None and asked.address == terminal.address:
                    found[terminal.address] = asked
    return found


def since(client: Client, addresses: Iterable[str]) -> dict[str, str]:
    """Return when that what waits at these addresses began to wait, as far as facts tell it."""
    found = {}
    for address in addresses:
        told = client.ask(Why(address=address)).facts
        own = (f.at for f in told if f.address == address and isinstance(f, BEGINS))
        if at := next(own, ""):
            found[address] = at
    return found


def recent(client: Client, workflows: list[Workflow]) -> list[Workflow]:
    """Return the workflows that are not over or ended within a day."""
    now = clock.wall()

    def facts_of(row: Workflow) -> list[AnyFact]:
        return client.ask(Why(address=row.address)).facts

    return [row for row in workflows if is_recent(row, facts_of, now)]


def is_recent(row: Workflow, facts_of: Facts, now: datetime) -> bool:
    """Return whether a workflow is not over or ended within a day; see `has_ended_before`."""
    return not has_ended_before(row, facts_of, now, _SHOWN)


def has_ended_before(row: Workflow, facts_of: Facts, now: datetime, age: timedelta) -> bool:
    """Return whether a workflow is over and ended at least `age` before `now`.

    `facts_of` returns the facts of a workflow, newest first. It is called only if the workflow is
    over and was created so long ago. Without facts (they have been compacted) it ended long ago.
    """
    created = read(row.created)
    if row.status not in FINAL_WORKFLOW or created is None or now - created < age:
        return False
    moved = (fact for fact in facts_of(row) if isinstance(fact, WorkflowMoved))
    ended = read(next((fact.at for fact in moved), ""))
    return ended is None or now - ended >= age
