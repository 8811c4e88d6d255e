"""The feed: a PUB socket that sends every fact as one frame, `ADDRESS SPACE JSON`.

The feed may lose facts; the journal does not. A slow or late subscriber gets what it missed with
`events.replay` (`bus.subscriber` does so by itself). The heartbeat carries the journal's head, so a
subscriber notices a loss even if no further fact follows.
"""

import threading
from collections.abc import Callable

import msgspec
import zmq

from bus.address import OUTPUT, RUNTIME
from bus.gate import Gate

HEARTBEAT_SECONDS = 5.0

WAITING_FRAMES = 20_000
"""Frames kept for one subscriber that does not read.

Further frames are dropped for that subscriber alone, which bounds the memory it takes here.
"""


_JOINED, _LEFT = b"\x01", b"\x00"
"""First byte of a frame that subscribes, and of one that unsubscribes (ZeroMQ RFC 29)."""
_OUTPUT = OUTPUT.encode()


class Heartbeat(msgspec.Struct, tag="heartbeat", tag_field="type"):
    """A sign of life; `head` is the seq of the newest published fact."""

    head: int


class Feed:
    """The publishing socket: an XPUB, because that reports new subscriptions.

    Only the thread that made it may use it, and the gate, which opens and shuts its endpoint.
    `on_used` is called after the gate's use, because that may reset the edge of `fileno`.
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
        self._socket.xpub_verbose = True  # report repeated subscriptions too
        self._using = threading.Lock()
        self.outputs: frozenset[str] = frozenset()
        """Addresses below which a subscriber wants terminal output, as of the last `greet`."""
        self._gate = gate
        self._entrance = gate.open(self._socket, endpoint, self._using, on_used)

    def fileno(self) -> int:
        """Return a descriptor that is readable when `greet` is due, and only that (`ZMQ_FD`)."""
        return int(self._socket.getsockopt(zmq.FD))

    def publish(self, address: str, body: bytes) -> None:
        """Send one fact. Never block: PUB drops it for a subscriber whose queue is full."""
        with self._using:
            self._socket.send(address.encode() + b" " + body)

    def heartbeat(self, head: int) -> None:
        """Publish the journal's head. The owner calls this every `HEARTBEAT_SECONDS`.

        Publish it again if a subscriber joined meanwhile: sending has reset the edge of `fileno`.
        """
        beat = msgspec.json.encode(Heartbeat(head))
        self.publish(RUNTIME, beat)
        while self._take_joins():
            self.publish(RUNTIME, beat)

    def greet(self, head: int) -> None:
        """Send a heartbeat at once if a subscriber has joined or rejoined.

        It missed every earlier fact and gets every later one. The owner calls this when `fileno` is
        readable, and after publishing, which resets its edge.
        """
        if self._take_joins():
            self.heartbeat(head)

    def _take_joins(self) -> bool:
        """Read who has joined and left; return whether somebody has joined."""
        joined = False
        with self._using:
            while self._socket.poll(0):
                word = self._socket.recv()
                joined = word[:1] == _JOINED or joined
                self._note(word)
        return joined

    def _note(self, word: bytes) -> None:
        """Note a new subscription to terminal output, or the end of a topic's last one."""
        topic = word[1:]
        if not topic.startswith(_OUTPUT):
            return
        below = topic[len(_OUTPUT) :].decode("utf-8", "replace")
        if word[:1] == _JOINED:
            self.outputs |= {below}
        elif word[:1] == _LEFT:
            self.outputs -= {below}

    def close(self) -> None:
        """Close the socket and its endpoint."""
        self._gate.forget(self._entrance)
        self._socket.close()
