"""The router: every message goes through it, from actor to actor and from outside.

Inside, a message is three frames: the address it goes to, the address it comes from,
and its encoding. The router's thread hands it to `deliver`, which puts it in a mailbox.
Outside, a client (DEALER or REQ) sends one JSON frame and gets one back; it is known by
the address `client/…`, to which any actor may answer.

Telling never blocks (hazard 25): inside there is no high-water mark. Strangers are
bounded: a frame's size, the requests that wait (`backlog`), and what a client leaves
unread.
"""

import itertools
import logging
import threading
from collections.abc import Callable

import msgspec
import zmq

from bus import requests
from bus.address import GATEWAY
from bus.errors import Refused, malformed

log = logging.getLogger("callboard.bus")

MAX_WAITING = 1_000
"""Requests from outside that may wait for the gateway; further ones get 429."""

_HARD_LIMIT = 64 << 20
"""Bytes: a frame over this ends the connection before it is read into memory."""

_numbers = itertools.count(1)


class Envelope(msgspec.Struct, frozen=True):
    """What lies in a mailbox: who sent it, and the encoded message."""

    sender: str
    payload: bytes


Deliver = Callable[[str, Envelope], bool]


class Bus:
    """The router's thread and the one port through which this process sends.

    `send` may be called from any thread. `deliver` and `backlog` are called in the
    router's thread and must not wait.
    """

    def __init__(self, deliver: Deliver, backlog: Callable[[], int] = lambda: 0) -> None:
        self._deliver = deliver
        self._backlog = backlog
        self._context = zmq.Context()
        self._inside = self._context.socket(zmq.ROUTER)
        self._inside.set_hwm(0)
        name = f"inproc://bus-{next(_numbers)}"
        self._inside.bind(name)
        self._outside = self._context.socket(zmq.ROUTER)
        self._outside.maxmsgsize = _HARD_LIMIT
        self._outside.linger = 200
        self._port = self._context.socket(zmq.DEALER)
        self._port.set_hwm(0)
        self._port.connect(name)
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="router", daemon=True)
        self.undelivered = 0

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        return self._context

    def bind(self, endpoint: str) -> None:
        """Open the door for clients. Before `start`."""
        self._outside.bind(endpoint)

    def start(self) -> None:
        self._thread.start()

    def send(self, to: str, payload: bytes, sender: str = "") -> None:
        """Queue one encoded message. Never blocks."""
        frames = (to.encode(), sender.encode(), payload)
        with self._sending:
            self._port.send_multipart(frames)

    def stop(self) -> None:
        """Carry out what was sent before, then end the thread and close the sockets."""
        self.send("", b"")
        self._thread.join()
        with self._sending:
            self._port.close(0)
        self._context.destroy(linger=200)

    # ---- the router's thread -----------------------------------------------------------

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._inside, zmq.POLLIN)
        poller.register(self._outside, zmq.POLLIN)
        going = True
        while going:
            ready = dict(poller.poll())
            if self._inside in ready:
                going = self._drain_inside()
            if self._outside in ready:
                self._take_outside()
        self._inside.close(0)
        self._outside.close()

    def _drain_inside(self) -> bool:
        """All that waits, then back to the strangers. False at the stop message."""
        receive = self._inside.recv_multipart
        for _ in range(1_000):
            try:
                _, to, sender, payload = receive(zmq.NOBLOCK)
            except zmq.Again:
                return True
            if not to:
                return False
            if to.startswith(b"client/"):
                self._answer(to, payload)
            elif not self._deliver(to.decode(), Envelope(sender.decode(), payload)):
                self.undelivered += 1
                log.info("nobody lives at %s: message from %s dropped", to, sender)
        return True

    def _take_outside(self) -> None:
        """One request at a time, so that strangers cannot starve the inside."""
        try:
            identity, *frames = self._outside.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        envelope = b"/req" if len(frames) == 2 and not frames[0] else b"/dealer"
        to = b"client/" + identity.hex().encode() + envelope
        if envelope == b"/req":
            frames = frames[1:]
        try:
            if len(frames) != 1:
                raise malformed("", f"a request is one JSON frame, not {len(frames)}")
            frame = frames[0]
            if len(frame) > requests.MAX_FRAME:
                raise malformed("", f"a request holds at most {requests.MAX_FRAME} bytes")
            if self._backlog() >= MAX_WAITING:
                raise Refused(429, "full", "too many requests wait; try again later")
            if not self._deliver(GATEWAY, Envelope(to.decode(), frame)):
                raise Refused(503, "stopping", "the runtime is starting or stopping")
        except Refused as error:
            small = len(frames) == 1 and len(frames[0]) <= requests.MAX_FRAME
            self._answer(to, requests.refused(requests.id_of(frames[0]) if small else None, error))

    def _answer(self, to: bytes, payload: bytes) -> None:
        _, identity, kind = to.split(b"/")
        frames = [bytes.fromhex(identity.decode())]
        if kind == b"req":
            frames.append(b"")
        try:
            self._outside.send_multipart([*frames, payload], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.info("answer to %s dropped: %s", to, error)
