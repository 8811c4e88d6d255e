"""Requests about a terminal's keyboard, and about the way to its host."""

from typing import Annotated

import msgspec

from bus import results
from bus.request_base import OfTerminal


class TerminalTake(OfTerminal[results.Held], kw_only=True, tag="terminal.take"):
    """Take the keyboard for a `session`, or keep it. Refused while another session has it.

    Refused also if `incarnation` is given and is not the one that runs.
    """

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    incarnation: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0


class TerminalEnter(OfTerminal[results.Entrance], kw_only=True, tag="terminal.enter"):
    """Name the socket of the host that runs a terminal's program. It needs the user's own right."""


class TerminalGive(OfTerminal[results.Given], kw_only=True, tag="terminal.give"):
    """End a `session`: others may type, and the window returns to 40 x 120."""

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
