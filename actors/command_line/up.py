"""Following a workflow from outside: submit, prepare, start, wait, show."""

from pathlib import Path
from typing import Any

from actors.command_line import live, streams, tables
from actors.command_line.daemon import ensure
from actors.command_line.orders import SILENCE_SECONDS
from actors.command_line.printing import say, say_json
from actors.command_line.program import command
from actors.runtime import local
from bus.client import Client
from bus.errors import Refused
from bus.facts import RepairOffered, WorkflowMoved
from bus.requests import (
    PlanSubmit,
    RuntimeInfo,
    WorkflowGet,
    WorkflowPrepare,
    WorkflowStart,
)
from bus.subscriber import Subscriber

_OVER = {"completed", "failed", "cancelled"}


def run_plan(home: Path, plan: dict[str, Any], as_json: bool) -> int:
    """`up`: the whole way of one plan. 0 when it landed, 1 when it stopped before.

    A plan that is wrong is refused before a runtime, or even a home, is made for it."""
    streams.go_on_without_reader()
    local.check(plan["plan"], plan["base"])
    served = ensure(home)
    with Client(served.requests, timeout=120) as client:
        head = client.ask(RuntimeInfo()).head
        submitted = client.ask(PlanSubmit(**plan))
        name = submitted.id
        for warning in submitted.warnings:
            say(f"note: {warning}", err=True)
        subscriber = Subscriber(served.feed, served.requests, head, name)
        view = live.Quiet() if as_json else live.follow_view(client, name)
        try:
            client.ask(WorkflowPrepare(workflow=name))
            with view:
                _follow(client, subscriber, view, name)
        except KeyboardInterrupt:
            follow = command("events", "--follow", name)
            say(f"\n{name}/ goes on; follow it: {follow}", err=True)
            return 1
        finally:
            subscriber.close()
        row = client.ask(WorkflowGet(workflow=name))
        if as_json:
            say_json(row)
        else:
            say(tables.outcome(row))
        return 0 if row.status == "completed" else 1


def _follow(client: Client, subscriber: Subscriber, view: live.View, name: str) -> None:
    """Show facts until the workflow is over, or waits for a person in its merge."""
    started = False
    while True:
        fact = subscriber.next(SILENCE_SECONDS)
        if fact is None:
            client.ask(RuntimeInfo(), timeout=SILENCE_SECONDS)  # raises when nobody is there
            continue
        view.show(fact)
        if isinstance(fact, WorkflowMoved):
            if fact.new == "ready" and not started:
                started = True
                _start(client, name)
            elif fact.new in _OVER:
                return
        elif isinstance(fact, RepairOffered):
            row = client.ask(WorkflowGet(workflow=name))
            if tables.merge_of_person(row):
                return


def _start(client: Client, name: str) -> None:
    try:
        client.ask(WorkflowStart(workflow=name))
    except Refused as refused:
        if refused.body.reason != "not_ready":
            raise
