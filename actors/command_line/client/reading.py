"""Read a terminal's output piece by piece, from an offset."""

from collections.abc import Iterator

from bus.client import Client
from bus.requests import TerminalOutput
from bus.results import TerminalBytes

PIECE = 1 << 17
"""Bytes asked for in one request."""
WAIT = 20.0
"""Seconds that the runtime may hold a request until new output comes."""


def pieces(client: Client, terminal: str, offset: int, follow: bool) -> Iterator[TerminalBytes]:
    """Yield the output from `offset` on; with `follow`, also new output until the program ends.

    A piece may begin after the end of the one before; the output between them was dropped.
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
