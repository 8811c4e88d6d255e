"""One visit to a terminal by way of its host's socket, for the doors that show a terminal.

The runtime names the socket (`terminal.enter`) and says who types (`terminal.take`). Output and
keys then pass between the visitor and the host, and wake nobody else.
"""

import hashlib
import time
from collections import deque
from typing import NamedTuple

from actors.host import wire
from actors.pty.events import Acknowledged, Closed, Ended, Event
from actors.pty.link import Link

ASK_AGAIN_SECONDS = 5.0
"""An answer about the keyboard that has not come after so long is asked for again."""


def host_key(name: str) -> bytes:
    """Return the host's key for a visitor's input of this name, whichever way it comes."""
    key = b"input:" + name.encode()
    return key if len(key) <= wire.KEY_LIMIT else b"input#" + hashlib.sha256(key).digest()


class _Typed(NamedTuple):
    key: bytes
    data: bytes
    incarnation: int


class Entry:
    """The link to a host, and what is to be typed. It never blocks, and belongs to one thread.

    What is typed waits until the session has the keyboard, and goes to the host in order, each
    with its key. After a lost link it is sent again: the host types it once for its key.
    """

    def __init__(self) -> None:
        self._link: Link | None = None
        self._waiting: deque[_Typed] = deque()
        self._sent: dict[bytes, _Typed] = {}
        self._lent = self._until = 0.0
        self._asked_at: float | None = None

    def open(self, socket: str, token: str, incarnation: int, offset: int) -> bool:
        """Connect, and follow the output from `offset`. Raises `OSError` if no host listens.

        Returns False if input was dropped because it was meant for another program.
        """
        self.close()
        link = Link(socket, token)
        self._waiting.extendleft(reversed(self._sent.values()))
        self._sent.clear()
        meant = all(each.incarnation == incarnation for each in self._waiting)
        if not meant:
            self.drop()
        self._link = link
        link.follow(offset)
        self._flush()
        return meant

    @property
    def connected(self) -> bool:
        """Whether a link is open."""
        return self._link is not None

    @property
    def waits(self) -> bool:
        """Whether something is to be typed that the host has not been given yet."""
        return bool(self._waiting) or self.wants_write

    def fileno(self) -> int:
        """Return the descriptor of the link; -1 without one."""
        return self._link.fileno() if self._link is not None else -1

    @property
    def wants_write(self) -> bool:
        """Whether to call `write` when the descriptor is writable."""
        return self._link is not None and self._link.wants_write

    def write(self) -> None:
        """Send what the socket takes."""
        if self._link is not None:
            self._link.on_writable()

    def read(self) -> list[Event]:
        """Return what the host has sent. After `Ended` or `Closed` there is no link any more."""
        events = self._link.on_readable() if self._link is not None else []
        for event in events:
            if isinstance(event, Acknowledged):
                self._sent.pop(event.key, None)
            elif isinstance(event, Ended | Closed):
                self.close()
        return events

    def follow(self, offset: int | None) -> None:
        """Have output come from `offset` on, or none."""
        if self._link is not None:
            self._link.follow(offset)

    # ---- typing --------------------------------------------------------------------------

    def type(self, key: str, data: bytes, incarnation: int) -> None:
        """Type the bytes, once for their key, as soon as the session has the keyboard.

        They are meant for the program of this incarnation, and for no other.
        """
        self._waiting.append(_Typed(host_key(key), data, incarnation))
        self._flush()

    def must_ask(self) -> bool:
        """Whether to ask the runtime for the keyboard now. Call it after `type` and `open`."""
        now = time.monotonic()
        half = self._lent + (self._until - self._lent) / 2
        asked = self._asked_at is not None and now < self._asked_at + ASK_AGAIN_SECONDS
        if asked or not (self._waiting or self._sent):
            return False
        if now < half and not self._waiting:
            return False
        self._asked_at = now
        return True

    def lend(self, seconds: float) -> None:
        """Type for so many seconds from the moment in which `must_ask` was true."""
        self._lent, self._asked_at = self._asked_at or 0.0, None
        self._until = self._lent + seconds
        self._flush()

    def drop(self) -> None:
        """Forget what was to be typed: the keyboard is another's, or the program is over."""
        self._waiting.clear()
        self._sent.clear()
        self._lent = self._until = 0.0
        self._asked_at = None

    def _flush(self) -> None:
        """Hand to the host what may be typed now."""
        if self._link is None or time.monotonic() >= self._until:
            return
        while self._waiting:
            each = self._waiting.popleft()
            self._sent[each.key] = each
            self._link.type(each.key, [(each.data, 0)])

    def close(self) -> None:
        """Close the link. What the host has is typed all the same."""
        link, self._link = self._link, None
        if link is not None and not link.closed:
            link.close()
