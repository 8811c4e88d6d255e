"""Print the stored facts, and new facts as they come."""

import signal
from collections.abc import Iterator
from pathlib import Path

from actors.command_line.output.facts import line
from actors.command_line.output.printing import say, say_json
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
    """Print facts: one JSON list with `as_json`, else one line each.

    With `follow`, go on with new facts until Ctrl-C, one line each. Raise `Refused` if a type is
    unknown.
    """
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
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once, without a message
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
    """Yield every stored fact after the seq `after`, asking for one page at a time."""
    while page := client.ask(EventsReplay(after=after, limit=1000, address=address)).facts:
        yield from page
        after = page[-1].seq


def _is(fact: AnyFact, types: tuple[str, ...]) -> bool:
    return not types or fact_type(fact) in types


def _resolve(client: Client, address: str) -> str:
    """Return the full form of an address, whose workflow may be shortened to a prefix."""
    if not address or workflow_of(address) == "runtime":
        return normal(address)
    row = client.ask(WorkflowGet(workflow=workflow_of(address)))
    rest = address.partition("/")[2]
    return normal(f"{row.id}/{rest}")
