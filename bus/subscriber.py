"""A subscriber that loses nothing: it notices gaps in `seq` and heals them.

The feed may drop frames for a slow subscriber and is silent while the runtime is down;
the journal has everything. So each fact is given out exactly once and in order,
whatever the feed does.
"""

import time
from collections import deque
from collections.abc import Iterator

import msgspec
import zmq

from bus.address import OUTPUT, normal
from bus.client import Client, NoAnswer
from bus.errors import Refused
from bus.facts import AnyFact
from bus.feed import HEARTBEAT_SECONDS, Heartbeat
from bus.requests import EventsReplay

_PAGE = 1_000
_BUSY = {429, 503}
"""The answers of a runtime that is starting, stopping, or has too much to do."""


_decode = msgspec.json.Decoder(AnyFact | Heartbeat).decode


_OUTPUT = OUTPUT.encode()


class Subscriber:
    """Facts after `after`, of `address` and below, from one runtime's sockets.

    Belongs to one thread. `seq` is the last one that was considered; a later subscriber
    that starts `after` it goes on without loss.
    """

    def __init__(self, feed: str, requests: str, after: int = 0, address: str = "") -> None:
        self.seq = after
        self._address = normal(address)
        self._client = Client(requests, timeout=HEARTBEAT_SECONDS)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.subscribe(b"")
        self._socket.connect(feed)
        self._ready: deque[AnyFact] = deque()
        self._behind = True
        self.healed = 0

    def next(self, timeout: float | None = None) -> AnyFact | None:
        """The next fact, or None after `timeout` seconds without one."""
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
                if not self._socket.poll(None if left is None else int(left * 1000)):
                    return None
        return self._ready.popleft()

    def __iter__(self) -> Iterator[AnyFact]:
        """Facts, for ever."""
        while (fact := self.next()) is not None:
            yield fact

    def close(self) -> None:
        self._socket.close()
        self._context.term()
        self._client.close()

    def _take(self, frame: bytes) -> None:
        if frame.startswith(_OUTPUT):
            return  # somebody else wants terminals' output, which is no fact
        said = _decode(frame[frame.index(b" ") + 1 :])
        if isinstance(said, Heartbeat):
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
        """Read from the journal on.

        A runtime that does not answer is asked again; its return is awaited, not polled for: the
        request waits in the socket. One that is busy (it starts, it stops) is asked again when the
        feed says something.
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
