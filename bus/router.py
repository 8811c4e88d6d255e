"""The router: every message goes through it, from actor to actor and from outside.

Inside, a message is one frame: the address it goes to, the address it comes from, and
its encoding, with a NUL after each address (a frame costs as much as its handling).
Whoever sends also takes it out of the ROUTER and hands it to `deliver`, which puts it into
a mailbox: a thread in between would double the wake-ups, and those are what a message
costs. Outside, a client (DEALER or REQ) sends one JSON frame and gets one back. The request
is known by an address of its own, `client/…`, to which any actor may answer; the door lets
one answer through, and gives one itself to every request that is open when it closes. The
door's thread serves them, so strangers cannot starve the inside.

Telling never blocks (hazard 25): inside there is no high-water mark. Strangers are
bounded: a frame's size, the requests that wait (`backlog`), and what a client leaves
unread.
"""

import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

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

_STOP = b"\0\0"
"""To nobody, from nobody, nothing: the last message."""

_STOPPING = Refused(503, "stopping", "the runtime is starting or stopping")

_numbers = itertools.count(1)


class Envelope(msgspec.Struct, frozen=True):
    """What lies in a mailbox: who sent it, and the encoded message."""

    sender: str
    payload: bytes


Deliver = Callable[[str, Envelope], bool]
Socket = zmq.Socket[bytes]


class Bus:
    """The router and the door, and the two ports through which this process sends.

    `send` may be called from any thread. `deliver` is called in the sender's thread, or in
    the door's for a request, one message at a time inside; `backlog` in the door's. They
    must not wait, nor send.
    """

    def __init__(self, deliver: Deliver, backlog: Callable[[], int] = lambda: 0) -> None:
        self._deliver = deliver
        self._backlog = backlog
        self._context = zmq.Context()
        number = next(_numbers)
        self._inside, self._port = self._pair(f"inproc://bus-{number}", zmq.ROUTER, zmq.DEALER)
        self._answers, self._reply = self._pair(f"inproc://door-{number}", zmq.PULL, zmq.PUSH)
        self._outside = self._context.socket(zmq.ROUTER)
        self._outside.maxmsgsize = _HARD_LIMIT
        self._outside.linger = 200
        self._open: dict[bytes, Any] = {}  # requests without an answer: their ids, by address
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="door", daemon=True)
        self.undelivered = 0

    def _pair(self, name: str, near: int, far: int) -> tuple[Socket, Socket]:
        """Two sockets of this process, connected: the one that receives, the one that sends."""
        receiving, sending = self._context.socket(near), self._context.socket(far)
        for each in (receiving, sending):
            each.set_hwm(0)
        receiving.bind(name)
        sending.connect(name)
        return receiving, sending

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        return self._context

    def bind(self, endpoint: str) -> None:
        """Open the door for clients. Before `start`."""
        self._outside.bind(endpoint)

    def start(self) -> None:
        self._thread.start()

    def send(self, to: str, payload: bytes, sender: str = "") -> bool:
        """Bring one encoded message into its mailbox; False where nobody lives. Never blocks."""
        frame = b"%b\0%b\0%b" % (to.encode(), sender.encode(), payload)
        with self._sending:
            if to.startswith("client/"):
                self._reply.send(frame)
                return True
            self._port.send(frame)
            return self._route()

    def _route(self) -> bool:
        self._inside.recv()  # who sent it: always the one port
        to, sender, payload = self._inside.recv().split(b"\0", 2)
        if self._deliver(to.decode(), Envelope(sender.decode(), payload)):
            return True
        self.undelivered += 1
        log.info("nobody lives at %s: message from %s dropped", to, sender)
        return False

    def stop(self) -> None:
        """Give the answers that wait, then end the thread and close the sockets."""
        with self._sending:
            self._reply.send(_STOP)
        self._thread.join()
        with self._sending:
            for socket in (self._reply, self._port, self._inside):
                socket.close(0)
        self._context.destroy(linger=200)

    # ---- the door's thread -------------------------------------------------------------

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._answers, zmq.POLLIN)
        poller.register(self._outside, zmq.POLLIN)
        going = True
        while going:
            ready = dict(poller.poll())
            if self._answers in ready:
                going = self._give_answers()
            if self._outside in ready:
                self._take_outside()
        for _ in range(MAX_WAITING):
            if not self._take_outside():
                break
        for to, id in list(self._open.items()):
            self._answer(to, requests.refused(id, _STOPPING))
        self._answers.close(0)
        self._outside.close()

    def _give_answers(self) -> bool:
        """All that wait. False at the stop message."""
        while int(self._answers.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            frame: bytes = self._answers.recv()
            if frame == _STOP:
                return False
            client, _, payload = frame.split(b"\0", 2)
            self._answer(client, payload)
        return True

    def _take_outside(self) -> bool:
        """One request at a time, so that answers go out while strangers press in. False where
        there is none."""
        try:
            identity, *frames = self._outside.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        kind = b"req" if len(frames) == 2 and not frames[0] else b"dealer"
        to = b"client/%b/%b/%d" % (identity.hex().encode(), kind, next(_numbers))
        if kind == b"req":
            frames = frames[1:]
        small = len(frames) == 1 and len(frames[0]) <= requests.MAX_FRAME
        self._open[to] = requests.id_of(frames[0]) if small else None
        try:
            if len(frames) != 1:
                raise malformed("", f"a request is one JSON frame, not {len(frames)}")
            frame = frames[0]
            if len(frame) > requests.MAX_FRAME:
                raise malformed("", f"a request holds at most {requests.MAX_FRAME} bytes")
            if self._backlog() >= MAX_WAITING:
                raise Refused(429, "full", "too many requests wait; try again later")
            if not self._deliver(GATEWAY, Envelope(to.decode(), frame)):
                raise _STOPPING
        except Refused as error:
            self._answer(to, requests.refused(self._open[to], error))
        return True

    def _answer(self, to: bytes, payload: bytes) -> None:
        """The first answer to a request; a second one reaches nobody."""
        if to not in self._open:
            log.info("a further answer to %s dropped", to)
            return
        del self._open[to]
        _, identity, kind, _ = to.split(b"/")
        frames = [bytes.fromhex(identity.decode())]
        if kind == b"req":
            frames.append(b"")
        try:
            self._outside.send_multipart([*frames, payload], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.info("answer to %s dropped: %s", to, error)
