"""A subscriber that loses no fact: it notices gaps in `seq` and fills them from the journal.

The feed may drop frames for a slow subscriber, and is silent while the runtime is down. The journal
has every fact. So the subscriber returns each fact exactly once and in order.
"""

import time
from collections import deque
from collections.abc import Iterator

import msgspec
import zmq

from bus.address import OUTPUT, normal
from bus.client import Client, NoAnswer
from bus.context import Context
from bus.errors import Refused
from bus.facts import AnyFact
from bus.feed import HEARTBEAT_SECONDS, Heartbeat
from bus.keys import ClientKey, show_key
from bus.requests import EventsReplay

_PAGE = 1_000
_BUSY = {429, 503}
"""Codes with which a runtime refuses that is starting, stopping or overloaded."""


_decode = msgspec.json.Decoder(AnyFact | Heartbeat).decode


_OUTPUT = OUTPUT.encode()


def said_in(frame: bytes) -> AnyFact | Heartbeat | None:
    """Return what a frame of the feed says; None if it cannot be read."""
    try:
        said: AnyFact | Heartbeat = _decode(frame.partition(b" ")[2])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return said


class Subscriber:
    """Facts after `after`, of `address` and below, from one runtime's sockets.

    Only one thread may use it. `seq` is that of the last fact it considered; a later subscriber
    with this `after` continues without loss. `healed` counts the facts read from the journal.
    `key` is for the TCP door.
    """

    def __init__(
        self,
        feed: str,
        requests: str,
        after: int = 0,
        address: str = "",
        key: ClientKey | None = None,
    ) -> None:
        self.seq = after
        self._address = normal(address)
        self._client = Client(requests, timeout=HEARTBEAT_SECONDS, key=key)
        self._context = Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.subscribe(b"")
        if key is not None:
            show_key(self._socket, key, key.server_feed)
        self._socket.connect(feed)
        self._ready: deque[AnyFact] = deque()
        self._behind = True
        self.healed = 0

    def next(self, timeout: float | None = None, wake: int | None = None) -> AnyFact | None:
        """Return the next fact, or None after `timeout` seconds without one.

        Return None earlier if the file descriptor `wake` can be read.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._ready:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if self._behind:
                self._heal(left)
                if self._behind and left == 0.0:
                    return None
                continue
            try:
                self._take(self._socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                if not self._wait(left, wake):
                    return None
        return self._ready.popleft()

    def _wait(self, seconds: float | None, wake: int | None) -> bool:
        """Wait for a frame. Return False after `seconds`, or if `wake` can be read first."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        if wake is not None:
            poller.register(wake, zmq.POLLIN)
        found = dict(poller.poll(None if seconds is None else int(seconds * 1000)))
        return self._socket in found

    def __iter__(self) -> Iterator[AnyFact]:
        """Yield facts without end."""
        while (fact := self.next()) is not None:
            yield fact

    def close(self) -> None:
        """Close the sockets."""
        self._socket.close()
        self._context.term()
        self._client.close()

    def _take(self, frame: bytes) -> None:
        if frame.startswith(_OUTPUT):
            return  # terminal output, which another subscriber wants
        said = said_in(frame)
        if said is None:
            self._behind = True  # the journal has what a frame does not say
        elif isinstance(said, Heartbeat):
            self._behind = self._behind or said.head > self.seq
        elif said.seq == self.seq + 1:
            self._give(said)
        elif said.seq > self.seq:
            self._behind = True

    def _give(self, fact: AnyFact) -> None:
        self.seq = fact.seq
        if fact.address.startswith(self._address):
            self._ready.append(fact)

    def _heal(self, left: float | None) -> None:
        """Read the missing facts from the journal.

        Without an answer, the next call asks again. The request waits in the socket, so a runtime
        that returns gets it at once. A runtime that is busy is asked again when the feed sends
        something, or after the wait.
        """
        wait = HEARTBEAT_SECONDS if left is None else min(HEARTBEAT_SECONDS, max(left, 0.1))
        try:
            page = self._client.ask(EventsReplay(after=self.seq, limit=_PAGE), timeout=wait)
        except NoAnswer:
            return
        except Refused as refused:
            if refused.body.code not in _BUSY:
                raise
            if self._socket.poll(int(wait * 1000)):
                self._socket.recv()
            return
        for fact in page.facts:
            self.healed += 1
            self._give(fact)
        if len(page.facts) < _PAGE:
            self.seq = max(self.seq, page.compacted, page.head)
            self._behind = False
