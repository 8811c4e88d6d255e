"""The feed: a PUB socket that shows every fact, one frame `ADDRESS SPACE JSON`.

The feed is a cache of the journal: what a slow or late subscriber misses it gets by
`events.replay` (`bus.subscriber` does it alone), and the heartbeat with the journal's
head shows a loss even in silence.
"""

import threading
from collections.abc import Callable

import msgspec
import zmq

from bus.address import OUTPUT, RUNTIME
from bus.gate import Gate

HEARTBEAT_SECONDS = 5.0

WAITING_FRAMES = 20_000
"""Frames kept for one subscriber that does not read; what comes then is dropped for it
alone, and its memory here is bounded."""


_JOINED, _LEFT = b"\x01", b"\x00"
"""How a subscription begins, and the end of one (RFC 29)."""
_OUTPUT = OUTPUT.encode()


class Heartbeat(msgspec.Struct, tag="heartbeat", tag_field="type"):
    """`head`: the seq of the newest fact that was published."""

    head: int


class Feed:
    """The publishing socket (XPUB, which sees who joins).

    Used by one thread, the one that made it, and by the gate, which opens and shuts its endpoint.
    `on_used` is called where that may have used up the descriptor's edge.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        endpoint: str,
        gate: Gate,
        on_used: Callable[[], None] = lambda: None,
    ) -> None:
        self._socket = context.socket(zmq.XPUB)
        self._socket.sndhwm = WAITING_FRAMES
        self._socket.linger = 200
        self._socket.xpub_verbose = True  # also who joins as another one did before
        self._using = threading.Lock()
        self.outputs: frozenset[str] = frozenset()
        """The addresses below which somebody wants terminals' output, as of the last `greet`."""
        self._gate = gate
        self._entrance = gate.open(self._socket, endpoint, self._using, on_used)

    def fileno(self) -> int:
        """Readable when `greet` is due; of no other use (zmq_getsockopt: ZMQ_FD)."""
        return int(self._socket.getsockopt(zmq.FD))

    def publish(self, address: str, body: bytes) -> None:
        """Never blocks: PUB drops for a subscriber whose queue is full."""
        with self._using:
            self._socket.send(address.encode() + b" " + body)

    def heartbeat(self, head: int) -> None:
        """Say how far the feed is; to be called every `HEARTBEAT_SECONDS`."""
        self.publish(RUNTIME, msgspec.json.encode(Heartbeat(head)))

    def greet(self, head: int) -> None:
        """A heartbeat at once if somebody (re)joined: what was published before passed them
        by, and what comes from now on does not. To be called when `fileno` is readable, and
        after publishing, which uses that up.
        """
        joined = False
        with self._using:
            while self._socket.poll(0):
                word = self._socket.recv()
                joined = word[:1] == _JOINED or joined
                self._note(word)
        if joined:
            self.heartbeat(head)

    def _note(self, word: bytes) -> None:
        """Note a subscription to terminals' output, or the end of the last one to a topic."""
        topic = word[1:]
        if not topic.startswith(_OUTPUT):
            return
        below = topic[len(_OUTPUT) :].decode("utf-8", "replace")
        if word[:1] == _JOINED:
            self.outputs |= {below}
        elif word[:1] == _LEFT:
            self.outputs -= {below}

    def close(self) -> None:
        self._gate.forget(self._entrance)
        self._socket.close()
