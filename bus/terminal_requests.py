"""Requests about a terminal's keyboard, and about the way to its host, with their results."""

from typing import Annotated

import msgspec

from bus.request_base import OfTerminal


class Held(msgspec.Struct):
    """The session has the keyboard for at least `seconds`, counted from when it asked."""

    incarnation: int
    seconds: float


class Entrance(msgspec.Struct):
    """The path of the Unix socket of a terminal's host, and the token that opens it."""

    incarnation: int
    socket: str
    token: str


class Given(msgspec.Struct):
    """Whether the session had the keyboard."""

    given: bool


class TerminalTake(OfTerminal[Held], kw_only=True, tag="terminal.take"):
    """Take the keyboard for a `session`, or keep it. Refused while another session has it.

    Refused also if `incarnation` is given and is not the one that runs.
    """

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    incarnation: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0


class TerminalEnter(OfTerminal[Entrance], kw_only=True, tag="terminal.enter"):
    """Name the socket of the host that runs a terminal's program. It needs the user's own right."""


class TerminalGive(OfTerminal[Given], kw_only=True, tag="terminal.give"):
    """End a `session`: others may type, and the window returns to 40 x 120."""

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
