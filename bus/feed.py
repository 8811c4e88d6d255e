"""The feed: a PUB socket that shows every fact, one frame `ADDRESS SPACE JSON`.

The feed is a cache of the journal: what a slow or late subscriber misses it gets by
`events.replay` (`bus.subscriber` does it alone), and the heartbeat with the journal's
head shows a loss even in silence.
"""

import io
import os

import msgspec
import zmq

from bus.address import RUNTIME

HEARTBEAT_SECONDS = 5.0

WAITING_FRAMES = 20_000
"""Frames kept for one subscriber that does not read; what comes then is dropped for it
alone, and its memory here is bounded."""


class Heartbeat(msgspec.Struct, tag="heartbeat", tag_field="type", omit_defaults=True):
    """`head`: the seq of the newest fact that was published. `welcome`: this subscriber
    has just (re)joined; what was published before may have passed it by."""

    head: int
    welcome: bool = False


class Feed:
    """The publishing socket (XPUB, which greets those who join). Used by one thread, the
    one that made it."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str) -> None:
        self._socket = context.socket(zmq.XPUB)
        self._socket.sndhwm = WAITING_FRAMES
        self._socket.linger = 200
        self.reached(0)
        self._socket.bind(endpoint)

    def publish(self, address: str, body: bytes) -> None:
        """Never blocks: PUB drops for a subscriber whose queue is full."""
        self._socket.send(address.encode() + b" " + body)

    def heartbeat(self, head: int) -> None:
        """Say how far the feed is; to be called every `HEARTBEAT_SECONDS`."""
        self.publish(RUNTIME, msgspec.json.encode(Heartbeat(head)))
        self.greet(head)

    def greet(self, head: int) -> None:
        """Welcome those who have joined meanwhile; ZeroMQ does it only while it is called."""
        self.reached(head)
        while self._socket.poll(0):
            self._socket.recv()

    def joins(self) -> io.FileIO:
        """Becomes readable when somebody joins or leaves: `greet` is due. The caller's to close."""
        return io.FileIO(os.dup(int(self._socket.getsockopt(zmq.FD))))

    def reached(self, head: int) -> None:
        """Who joins from now on is told this head."""
        body = msgspec.json.encode(Heartbeat(head, welcome=True))
        self._socket.setsockopt(zmq.XPUB_WELCOME_MSG, RUNTIME.encode() + b" " + body)

    def close(self) -> None:
        self._socket.close()
