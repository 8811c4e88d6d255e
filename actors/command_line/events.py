"""The facts there are, and those that come, for a person or a program that reads them."""

import signal
from collections.abc import Iterator
from pathlib import Path

from actors.command_line.facts import line
from actors.command_line.printing import say, say_json
from bus import connection
from bus.address import normal, workflow_of
from bus.client import Client
from bus.errors import malformed
from bus.facts import FACT_TYPES, AnyFact, fact_type
from bus.requests import EventsReplay, WorkflowGet
from bus.subscriber import Subscriber


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
                say_json(facts)
            for fact in [] if as_json else facts:
                say(line(fact))
            return
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it wherever it is, in silence
    subscriber = Subscriber(served.feed, served.requests, after, wanted)
    try:
        for fact in subscriber:
            if _is(fact, types):
                say_json(fact) if as_json else say(line(fact))
    except BrokenPipeError:
        return
    finally:
        subscriber.close()


def replay(client: Client, address: str, after: int) -> Iterator[AnyFact]:
    """Every fact there is, page by page."""
    while page := client.ask(EventsReplay(after=after, limit=1000, address=address)).facts:
        yield from page
        after = page[-1].seq


def _is(fact: AnyFact, types: tuple[str, ...]) -> bool:
    return not types or fact_type(fact) in types


def _resolve(client: Client, address: str) -> str:
    """An address as the journal knows it; a prefix of a workflow's id will do."""
    if not address or workflow_of(address) == "runtime":
        return normal(address)
    row = client.ask(WorkflowGet(workflow=workflow_of(address)))
    rest = address.partition("/")[2]
    return normal(f"{row.id}/{rest}")
