"""Send a command to a workflow and wait for its outcome."""

import time
from pathlib import Path

from actors.command_line.output.exits import FAILED, Stop
from actors.command_line.output.program import command
from bus import connection
from bus.client import Client
from bus.facts import ResolutionJudged, WorkflowMoved
from bus.requests import Command, MergeContinue, WorkflowGet, WorkflowStop
from bus.rows import Workflow
from bus.status import MergeStage
from bus.subscriber import Subscriber

SILENCE_SECONDS = 1.0
"""After so long without a fact, the row is asked for. That shows whether a runtime is there."""
_ANSWER_SECONDS = 15.0

_TIDY_SECONDS = 60.0


def order(home: Path, request: Command, until: tuple[str, ...], bad: tuple[str, ...]) -> Workflow:
    """Send a command, wait for the workflow's status, and return its row.

    Wait until the status is one of `until` or `bad`; without `until`, do not wait for a status.
    Raise `Stop` if the resolution of a conflict is not accepted, else `Refused`, `NoRuntime` or
    `NoAnswer`.
    """
    served = connection.read(home)
    with Client(served.requests, serves=lambda: connection.is_held(home)) as client:
        judged = isinstance(request, MergeContinue) and _has_conflict(client, request.workflow)
        done = client.ask(request)
        row, name = done.row, done.workflow
        if judged or (until and row.status not in {*until, *bad}):
            subscriber = Subscriber(served.feed, served.requests, done.seq, name)
            try:
                if judged:
                    row = _wait_judged(client, subscriber, name)
                if until:
                    row = _wait(client, subscriber, name, {*until, *bad})
            finally:
                subscriber.close()
        if isinstance(request, WorkflowStop):
            row = tidied(client, row)
        return row


def _wait(client: Client, subscriber: Subscriber, name: str, ends: set[str]) -> Workflow:
    """Wait for one of the statuses `ends`. Raise `NoAnswer` if the runtime is gone."""
    while (row := _row(client, name)).status not in ends:
        fact = subscriber.next(SILENCE_SECONDS)
        while fact is not None and not isinstance(fact, WorkflowMoved):
            fact = subscriber.next(SILENCE_SECONDS)
    return row


def _has_conflict(client: Client, name: str) -> bool:
    row = client.ask(WorkflowGet(workflow=name))
    return row.merge.stage == MergeStage.CONFLICT


def _wait_judged(client: Client, subscriber: Subscriber, name: str) -> Workflow:
    """Wait until the merger has judged a person's resolution of a conflict.

    Raise `Stop` with the problems if it is not accepted.
    """
    while True:
        fact = subscriber.next(SILENCE_SECONDS)
        row = _row(client, name)
        if isinstance(fact, ResolutionJudged):
            if fact.problems:
                wrong = "\n".join(f"- {problem}" for problem in fact.problems)
                said = f"{name}/ has a conflict still in {row.merge.worktree}:\n{wrong}"
                raise Stop(said, FAILED, command("why", name))
            return row
        undecided = row.merge.stage in (MergeStage.BY_HAND, MergeStage.CONFLICT)  # its fact comes
        if isinstance(fact, WorkflowMoved) or (fact is None and not undecided):
            return row


def _row(client: Client, name: str) -> Workflow:
    return client.ask(WorkflowGet(workflow=name), timeout=_ANSWER_SECONDS)


def tidied(client: Client, row: Workflow) -> Workflow:
    """Return the row of a workflow that is over once it is tidied; wait for it 60 s at most.

    Then all its programs are gone (TERM, 5 s later KILL) and its uncommitted changes are pinned.
    """
    deadline = time.monotonic() + _TIDY_SECONDS
    while not row.tidied and time.monotonic() < deadline:
        time.sleep(0.05)  # no fact reports it: the workflow's last fact came before
        row = _row(client, row.id)
    return row
