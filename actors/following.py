"""Following a workflow from outside: submit, prepare, start, wait, show."""

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from actors import views
from actors.exits import at_home
from actors.plan_check import check
from actors.serving import ensure
from bus import connection
from bus.address import normal, workflow_of
from bus.client import Client
from bus.errors import Refused, malformed
from bus.facts import FACT_TYPES, AnyFact, RepairOffered, WorkflowMoved, fact_type
from bus.subscriber import Subscriber

_OVER = {"completed", "failed", "cancelled"}
_TIDY_SECONDS = 60.0
_SILENCE_SECONDS = 15.0
"""After so long without a fact the runtime is asked whether it is there."""


def order(
    home: Path, type: str, until: tuple[str, ...], bad: tuple[str, ...], fields: dict[str, Any]
) -> dict[str, Any]:
    """Send a command; wait until the workflow is one of `until` or `bad` (none: not at
    all). Returns its row. Raises `Refused`, `NoRuntime`, `NoAnswer`."""
    served = connection.read(home)
    with Client(served.requests) as client:
        head = client.call("runtime.info")["head"]
        result = client.call(type, **fields)
        name = result["workflow"]
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
        fact = subscriber.next(_SILENCE_SECONDS)
        while fact is not None and not isinstance(fact, WorkflowMoved):
            fact = subscriber.next(_SILENCE_SECONDS)


def _row(client: Client, name: str) -> dict[str, Any]:
    row: dict[str, Any] = client.call("workflow.get", workflow=name, timeout=_SILENCE_SECONDS)
    return row


def _wait_tidied(client: Client, name: str) -> None:
    """A stop is done when every program is gone (TERM, a grace of 5 s, KILL) and what was
    not committed is pinned."""
    deadline = time.monotonic() + _TIDY_SECONDS
    while time.monotonic() < deadline:
        if client.call("workflow.get", workflow=name)["tidied"]:
            return
        time.sleep(0.05)  # no fact tells it: the workflow's story has ended before


def run_plan(home: Path, plan: dict[str, Any], as_json: bool) -> int:
    """`up`: the whole way of one plan. 0 when it landed, 1 when it stopped before.

    A plan that is wrong is refused before a runtime, or even a home, is made for it."""
    check(plan["plan"], plan["base"])
    served = ensure(home)
    with Client(served.requests, timeout=120) as client:
        head = client.call("runtime.info")["head"]
        submitted = client.call("plan.submit", **plan)
        name = submitted["id"]
        for warning in submitted["warnings"]:
            print(f"note: {warning}", file=sys.stderr)
        subscriber = Subscriber(served.feed, served.requests, head, name)
        view = views.Quiet() if as_json else views.follow_view(client, name)
        try:
            client.call("workflow.prepare", workflow=name)
            with view:
                _follow(client, subscriber, view, name)
        except KeyboardInterrupt:
            follow = f"python run.py events --follow {name}{at_home(home)}"
            print(f"\n{name}/ goes on; follow it: {follow}", file=sys.stderr)
            return 1
        finally:
            subscriber.close()
        row = client.call("workflow.get", workflow=name)
        if as_json:
            print(msgspec.json.encode(row).decode())
        else:
            print(views.outcome(row, home))
        return 0 if row["status"] == "completed" else 1


def _follow(client: Client, subscriber: Subscriber, view: views.View, name: str) -> None:
    """Show facts until the workflow is over, or waits for a person in its merge."""
    started = False
    while True:
        fact = subscriber.next(_SILENCE_SECONDS)
        if fact is None:
            client.call("runtime.info", timeout=_SILENCE_SECONDS)  # raises when nobody is there
            continue
        view.show(fact)
        if isinstance(fact, WorkflowMoved):
            if fact.new == "ready" and not started:
                started = True
                _start(client, name)
            elif fact.new in _OVER:
                return
        elif isinstance(fact, RepairOffered):
            row = client.call("workflow.get", workflow=name)
            if views.merge_of_person(row):
                return


def _start(client: Client, name: str) -> None:
    try:
        client.call("workflow.start", workflow=name)
    except Refused as refused:
        if refused.body.reason != "not_ready":
            raise


def print_events(
    home: Path, address: str, after: int, follow: bool, types: tuple[str, ...], as_json: bool
) -> None:
    """`events`: one JSON list, or a line each; with `follow` for ever, a line each."""
    for name in types:
        if name not in FACT_TYPES:
            raise malformed(
                "--type", f"there is no fact {name!r}; there are {', '.join(FACT_TYPES)}"
            )
    served = connection.read(home)
    with Client(served.requests) as client:
        wanted = _resolve(client, address)
        if not follow:
            facts = [f for f in replay(client, wanted, after) if _is(f, types)]
            if as_json:
                print(msgspec.json.encode(facts).decode())
            for fact in [] if as_json else facts:
                print(views.line(fact))
            return
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it wherever it is, in silence
    subscriber = Subscriber(served.feed, served.requests, after, wanted)
    try:
        for fact in subscriber:
            if _is(fact, types):
                text = msgspec.json.encode(fact).decode() if as_json else views.line(fact)
                print(text, flush=True)
    except BrokenPipeError:
        return
    finally:
        subscriber.close()


class _Page(msgspec.Struct):
    facts: list[AnyFact]


_decode_page = msgspec.json.Decoder(_Page).decode


def replay(client: Client, address: str, after: int) -> Iterator[AnyFact]:
    """Every fact there is, page by page."""
    while page := client.ask(
        "events.replay", _decode_page, after=after, limit=1000, address=address
    ).facts:
        yield from page
        after = page[-1].seq


def _is(fact: AnyFact, types: tuple[str, ...]) -> bool:
    return not types or fact_type(fact) in types


def _resolve(client: Client, address: str) -> str:
    """An address as the journal knows it; a prefix of a workflow's id will do."""
    if not address or workflow_of(address) == "runtime":
        return normal(address)
    row = client.call("workflow.get", workflow=workflow_of(address))
    rest = address.partition("/")[2]
    return normal(f"{row['id']}/{rest}")
