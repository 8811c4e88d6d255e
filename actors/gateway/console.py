"""One terminal that somebody looks into: the link to its host, who waits, and who types."""

import time

import msgspec

from actors.platform.loop import Timer
from actors.pty.session import HostSaid, Session
from bus.messages import ConsoleAsk


class Said(msgspec.Struct, frozen=True):
    """An event of a terminal's host. Put into the mailbox by the event loop."""

    terminal: str
    said: HostSaid


class Again(msgspec.Struct, frozen=True):
    """Look again for a reader whose terminal has no host, although its row says that it runs."""

    ask: ConsoleAsk


class Over(msgspec.Struct, frozen=True):
    """A reader has waited for as long as it wanted."""

    terminal: str
    number: int


class Rest(msgspec.Struct, frozen=True):
    """Look whether a link is still of use."""

    terminal: str


class Reader(msgspec.Struct):
    """A request for output that waits."""

    ask: ConsoleAsk
    timer: Timer


class Console:
    """One terminal that somebody looks into: the link to its host, and who waits for what."""

    def __init__(self, session: Session, size: tuple[int, int]) -> None:
        self.session = session
        self.size = size
        self.readers: dict[int, Reader] = {}
        self.inputs: dict[bytes, ConsoleAsk] = {}
        self.resizes: list[ConsoleAsk] = []
        self.holder = ""
        self.held_until = 0.0
        self.used = time.monotonic()

    @property
    def pushes(self) -> bool:
        """Whether the host pushes output now: only while a reader waits."""
        return bool(self.readers)

    def holds(self, session: str) -> bool:
        """Whether somebody else has the keyboard."""
        held = self.holder and time.monotonic() < self.held_until
        return bool(held) and session != self.holder
