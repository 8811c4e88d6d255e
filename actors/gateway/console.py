"""One terminal that somebody looks into: the link to its host, who waits, and who types."""

import time

import msgspec

from actors.platform.loop import Timer
from actors.pty.session import Session
from bus.messages import ConsoleAsk


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
