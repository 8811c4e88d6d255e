"""Ask the runtime for what the views of workflows show and no row holds.

These are the choices of open questions, since when things wait for a person, and the time at which
a workflow ended.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from actors.command_line.output.times import read
from bus import clock
from bus.client import Client
from bus.event_requests import MOST_ADDRESSES, EventsNewest
from bus.facts import (
    AnyFact,
    Fact,
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
from bus.rows import Workflow
from bus.status import FINAL_WORKFLOW

BEGINS = (
    *(MergeConflict, RepositoryChanged, TaskMoved, TaskWaits, TerminalBlocked, TerminalIdle),
    *(TerminalLimited, TerminalStalled, WorkflowMoved),
)
"""The facts with which something begins to wait for a person."""

_SHOWN = timedelta(days=1)
"""How long a workflow is shown after its end."""


def newest(
    client: Client, addresses: Iterable[str], types: Iterable[type[Fact]]
) -> dict[str, AnyFact]:
    """Return by address its newest fact of one of the types. An address without one is left out."""
    named, wanted = list(addresses), [str(kind.__struct_config__.tag) for kind in types]
    found = {}
    for at in range(0, len(named), MOST_ADDRESSES):
        request = EventsNewest(addresses=named[at : at + MOST_ADDRESSES], types=wanted)
        found.update({fact.address: fact for fact in client.ask(request).facts})
    return found


def questions(client: Client, workflows: list[Workflow]) -> dict[str, TerminalBlocked]:
    """Return the newest question of each blocked terminal, by the terminal's address."""
    rows = (terminal for workflow in workflows for terminal in workflow.terminals())
    blocked = [row.address for row in rows if row.blocked and row.live]
    asked = newest(client, blocked, [TerminalBlocked])
    return {at: fact for at, fact in asked.items() if isinstance(fact, TerminalBlocked)}


def since(client: Client, addresses: Iterable[str]) -> dict[str, str]:
    """Return when that what waits at these addresses began to wait, as far as facts tell it."""
    return {at: fact.at for at, fact in newest(client, addresses, BEGINS).items()}


def recent(client: Client, workflows: list[Workflow]) -> list[Workflow]:
    """Return the workflows that are not over or ended within a day."""
    ended = ended_before(client, workflows, clock.wall(), _SHOWN)
    return [row for row in workflows if row.id not in ended]


def ended_before(
    client: Client, workflows: list[Workflow], now: datetime, age: timedelta
) -> set[str]:
    """Return the ids of the workflows that are over and ended at least `age` before `now`."""
    old = [row for row in workflows if has_ended_before(row, None, now, age)]
    moved = newest(client, [row.address for row in old], [WorkflowMoved])
    return {row.id for row in old if has_ended_before(row, moved.get(row.address), now, age)}


def has_ended_before(row: Workflow, moved: AnyFact | None, now: datetime, age: timedelta) -> bool:
    """Return whether a workflow is over and ended at least `age` before `now`.

    `moved` is the newest fact that moved its status. Without one (it has been compacted) the
    workflow ended long ago, unless it was created later.
    """
    created = read(row.created)
    if row.status not in FINAL_WORKFLOW or created is None or now - created < age:
        return False
    ended = read(moved.at) if moved is not None else None
    return ended is None or now - ended >= age
