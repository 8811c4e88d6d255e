"""Read a terminal's output, piece by piece, from where the caller stands."""

from collections.abc import Iterator

from bus.client import Client
from bus.requests import TerminalOutput
from bus.results import TerminalBytes

PIECE = 1 << 17
"""Bytes asked for at once."""
WAIT = 20.0
"""Seconds that the runtime may keep a request for output that is still to come."""


def pieces(client: Client, terminal: str, offset: int, follow: bool) -> Iterator[TerminalBytes]:
    """Yield the output from `offset` on: what there is, and with `follow` what comes until the
    program ends. A piece may begin later than the one before ended: the rest was dropped.
    """
    wait = WAIT if follow else 0.0
    while True:
        found = client.ask(
            TerminalOutput(terminal=terminal, offset=offset, limit=PIECE, wait=wait),
            timeout=WAIT + 10,
        )
        if found.data:
            yield found
        offset = max(offset, found.offset + len(found.data))
        if found.ended or not (found.data or follow):
            return
