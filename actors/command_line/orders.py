"""Giving a workflow a command from outside, and waiting for what comes of it."""

import time
from pathlib import Path
from typing import Any

from actors.command_line.exits import FAILED, Stop
from bus import connection
from bus.client import Client
from bus.facts import ResolutionJudged, WorkflowMoved
from bus.subscriber import Subscriber

SILENCE_SECONDS = 15.0
"""After so long without a fact the runtime is asked whether it is there."""

_TIDY_SECONDS = 60.0


def order(
    home: Path, type: str, until: tuple[str, ...], bad: tuple[str, ...], fields: dict[str, Any]
) -> dict[str, Any]:
    """Send a command; wait until the workflow is one of `until` or `bad` (none: not at
    all). Returns its row. Raises `Refused`, `NoRuntime`, `NoAnswer`; `Stop` where a resolution
    is not accepted."""
    served = connection.read(home)
    with Client(served.requests) as client:
        head = client.call("runtime.info")["head"]
        judged = type == "merge.continue" and _has_conflict(client, fields["workflow"])
        result = client.call(type, **fields)
        name = result["workflow"]
        if judged:
            subscriber = Subscriber(served.feed, served.requests, head, name)
            try:
                _wait_judged(client, subscriber, name)
            finally:
                subscriber.close()
        if until:
            subscriber = Subscriber(served.feed, served.requests, head, name)
            try:
                _wait(client, subscriber, name, {*until, *bad})
            finally:
                subscriber.close()
        if type == "workflow.stop":
            _wait_tidied(client, name)
        row: dict[str, Any] = client.call("workflow.get", workflow=name)
        return row


def _wait(client: Client, subscriber: Subscriber, name: str, ends: set[str]) -> None:
    """Raises `NoAnswer` when nobody is there any more."""
    while _row(client, name)["status"] not in ends:
        fact = subscriber.next(SILENCE_SECONDS)
        while fact is not None and not isinstance(fact, WorkflowMoved):
            fact = subscriber.next(SILENCE_SECONDS)


def _has_conflict(client: Client, name: str) -> bool:
    return bool(client.call("workflow.get", workflow=name)["merge"]["waits"] == "conflict")


def _wait_judged(client: Client, subscriber: Subscriber, name: str) -> None:
    """What a person left in the worktree is judged at once. Raises `Stop` with what is wrong."""
    while True:
        fact = subscriber.next(SILENCE_SECONDS)
        if isinstance(fact, ResolutionJudged):
            if fact.problems:
                where = _row(client, name)["merge"]["worktree"]
                wrong = "\n".join(f"- {problem}" for problem in fact.problems)
                said = f"{name}/ has a conflict still in {where}:\n{wrong}"
                raise Stop(said, FAILED, f"python run.py why {name}")
            return
        if isinstance(fact, WorkflowMoved) or (fact is None and not _is_judging(client, name)):
            return


def _is_judging(client: Client, name: str) -> bool:
    return bool(_row(client, name)["merge"]["waits"] == "by_hand")


def _row(client: Client, name: str) -> dict[str, Any]:
    row: dict[str, Any] = client.call("workflow.get", workflow=name, timeout=SILENCE_SECONDS)
    return row


def _wait_tidied(client: Client, name: str) -> None:
    """A stop is done when every program is gone (TERM, a grace of 5 s, KILL) and what was
    not committed is pinned."""
    deadline = time.monotonic() + _TIDY_SECONDS
    while time.monotonic() < deadline:
        if client.call("workflow.get", workflow=name)["tidied"]:
            return
        time.sleep(0.05)  # no fact tells it: the workflow's story has ended before
