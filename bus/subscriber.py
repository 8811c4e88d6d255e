"""A subscriber that loses nothing: it notices gaps in `seq` and heals them.

The feed may drop frames for a slow subscriber and is silent while the runtime is down;
the journal has everything. So each fact is given out exactly once and in order,
whatever the feed does.
"""

import time
from collections import deque
from collections.abc import Iterator
from http import HTTPStatus

import msgspec
import zmq

from bus.address import normal
from bus.client import Client, NoAnswer
from bus.errors import Refused
from bus.facts import AnyFact, decode_fact
from bus.feed import HEARTBEAT_SECONDS

_PAGE = 1_000

_MOMENT = 0.1
"""Seconds until a runtime that is not ready is asked again."""


class _Head(msgspec.Struct):
    """What is needed of any frame: a fact has `seq`, a heartbeat `head`."""

    seq: int = 0
    head: int = 0
    welcome: bool = False


class _Page(msgspec.Struct):
    facts: list[msgspec.Raw]
    head: int
    compacted: int = 0


_head = msgspec.json.Decoder(_Head).decode


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
            if self._behind:
                self._heal()
                continue
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._socket.poll(None if left is None else int(left * 1000)):
                return None
            self._take(self._socket.recv())
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
        body = frame.partition(b" ")[2]
        head = _head(body)
        if head.seq == self.seq + 1:
            self._give(body, head.seq)
        elif head.welcome or max(head.seq, head.head) > self.seq:
            self._behind = True

    def _give(self, body: bytes, seq: int) -> None:
        self.seq = seq
        fact = decode_fact(body)
        if fact.address.startswith(self._address):
            self._ready.append(fact)

    def _heal(self) -> None:
        """Read from the journal on. A runtime that does not answer (it restarts) is asked
        again; its return is awaited, not polled for: the request waits in the socket. One
        that answers that it is only starting, or stopping, is given a moment."""
        try:
            page = self._client.ask("events.replay", _Page, after=self.seq, limit=_PAGE)
        except NoAnswer:
            return
        except Refused as refused:
            if refused.body.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            time.sleep(_MOMENT)
            return
        for raw in page.facts:
            body = bytes(raw)
            self.healed += 1
            self._give(body, _head(body).seq)
        if len(page.facts) < _PAGE:
            self.seq = max(self.seq, page.compacted, page.head)
            self._behind = False
