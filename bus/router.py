"""The router: every message goes through it, from actor to actor and from outside.

Inside, a message is one frame: the address it goes to, the address it comes from, and
its encoding, with a NUL after each address (a frame costs as much as its handling).
Whoever sends also takes it out of the ROUTER and hands it to `deliver`, which puts it into
a mailbox: a thread in between would double the wake-ups, and those are what a message
costs. Outside, a client (DEALER or REQ) sends one JSON frame and gets one back; it is known
by the address `client/…`, to which any actor may answer. The door's thread takes what they
ask, so strangers cannot starve the inside; answers go out in the thread of who answers. The
door waits on its socket's descriptor, never in a call of ZeroMQ's, so that under one lock
any thread may use the socket; whoever used it up wakes the door (zmq_getsockopt: ZMQ_FD is
edge-triggered).

Telling never blocks (hazard 25): inside there is no high-water mark. Strangers are
bounded: a frame's size, the requests that wait (`backlog`), and what a client leaves
unread.
"""

import itertools
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from bus import requests
from bus.address import GATEWAY
from bus.errors import Refused, malformed
from bus.gate import Entrance, Gate
from bus.peer import Caller, Identify, Peer, by_user, parse

log = logging.getLogger("callboard.bus")

MAX_WAITING = 1_000
"""Requests from outside that may wait for the gateway; further ones get 429."""

LAST_SECONDS = 2.0
"""So long the door, when it closes, still takes and answers what presses in."""
QUIET_MS = 100
"""Nothing more has been sent before it closed when nothing came for so long."""
LINGER_MS = 500
"""So long it waits for those who do not read their answers."""

_HARD_LIMIT = 64 << 20
"""Bytes: a frame over this ends the connection before it is read into memory."""

_STOPPING = Refused(503, "stopping", "the runtime is starting or stopping")
"""Never raised: it would keep each frame that it was raised in, with the request."""

_NOW, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
"""Plain numbers: to add two flags up takes as long as to send a frame."""

_numbers = itertools.count(1)


class Envelope(msgspec.Struct, frozen=True):
    """What lies in a mailbox: who sent it, and the encoded message.

    A request from outside has its caller.
    """

    sender: str
    payload: bytes
    caller: Caller | None = None


Deliver = Callable[[str, Envelope], bool]
Socket = zmq.Socket[bytes]


class Bus:
    """The router and the door, and the two ports through which this process sends.

    `send` may be called from any thread. `deliver` is called in the sender's thread, or in
    the door's for a request, one message at a time inside; `backlog` in the door's. They
    must not wait, nor send. `on_death` is called if the door's thread breaks: nobody is heard
    any more, and the runtime must end. `identify` says who a client is; it is called in the
    door's thread when a request arrives, because its process may end soon after. `room` says
    how many further connections there is room for.
    """

    def __init__(
        self,
        deliver: Deliver,
        backlog: Callable[[], int] = lambda: 0,
        on_death: Callable[[str], None] = log.critical,
        identify: Identify = by_user,
        room: Callable[[], int] = lambda: 1 << 30,
    ) -> None:
        self._on_death = on_death
        self._identify = identify
        self._deliver = deliver
        self._backlog = backlog
        self._context = zmq.Context()
        number = next(_numbers)
        self._inside, self._port = self._pair(f"inproc://bus-{number}", zmq.ROUTER, zmq.DEALER)
        self._street = zmq.Context()  # of its own: its end waits until the answers have gone out
        self._outside = self._street.socket(zmq.ROUTER)
        # pyzmq's own `send` first looks for options that only draft sockets have: 0.5 us of 5.
        self._put = super(zmq.Socket, self._port).send
        self._give = super(zmq.Socket, self._outside).send
        self._outside.maxmsgsize = _HARD_LIMIT
        self._outside.router_mandatory = True  # an answer that cannot go out is an error, not lost
        self._until = 0.0
        self._open: dict[bytes, Any] = {}  # requests without an answer: their ids, by address
        self._sending = threading.Lock()
        self._door = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._going = True
        self.gate = Gate(room)
        self._entrance: Entrance | None = None
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
        """Open the door for clients. Before `start`. Raises `ZMQError`."""
        self._entrance = self.gate.open(self._outside, endpoint, self._door, self._wake)

    def start(self) -> None:
        self._thread.start()

    def send(self, to: str, payload: bytes, sender: str = "") -> bool:
        """Bring one encoded message into its mailbox; False where nobody lives. Never blocks."""
        if to.startswith("client/"):
            self._answer(to.encode(), payload)
            return True
        frame = f"{to}\0{sender}\0".encode() + payload
        with self._sending:
            self._put(frame)
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
        """Close the door and the sockets inside."""
        self.close_door()
        with self._sending:
            for socket in (self._port, self._inside):
                socket.close(0)
        self.gate.stop()
        self._context.destroy(linger=200)

    def close_door(self) -> None:
        """Refuse every request that has no answer yet, also those that nobody has read; when
        this returns the answers have gone out. A further answer reaches nobody.
        """
        self._until = time.monotonic() + LAST_SECONDS
        self._going = False
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        if self._entrance is not None:
            self.gate.forget(self._entrance)
        with self._door:
            self._outside.close(LINGER_MS)
            os.close(self._wake_read)
            os.close(self._wake_write)
        self._street.term()

    # ---- the door ----------------------------------------------------------------------

    def _serve(self) -> None:
        """In the door's thread."""
        try:
            self._keep()
        except BaseException as error:  # noqa: BLE001 - the last word of the only door
            self._on_death(f"the door broke: {error!r}")

    def _keep(self) -> None:
        poll = select.poll()
        poll.register(int(self._outside.getsockopt(zmq.FD)), select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while self._going:
            while self._going and self._take_outside():
                pass
            if (self._wake_read, select.POLLIN) in poll.poll():
                os.read(self._wake_read, 512)
        while time.monotonic() < self._until:
            if self._take_outside():
                continue
            found = poll.poll(QUIET_MS)
            if not found:
                break
            if (self._wake_read, select.POLLIN) in found:
                os.read(self._wake_read, 512)
        for to, id in list(self._open.items()):
            self._answer(to, requests.refused(id, _STOPPING))

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            log.debug("the door has been woken already")

    def _take_outside(self) -> bool:
        """One request at a time, so that answers go out while strangers press in.

        Whether a further one is there.
        """
        try:
            with self._door:
                first, *received = self._outside.recv_multipart(_NOW, copy=False)
                further = self._readable()
        except zmq.Again:
            return False
        identity, frames = first.bytes, [frame.bytes for frame in received]
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
            caller = self._identify(_peer(received[-1]))
            if not self._deliver(GATEWAY, Envelope(to.decode(), frame, caller)):
                self._answer(to, requests.refused(self._open[to], _STOPPING))
        except Refused as error:
            self._answer(to, requests.refused(self._open[to], error))
        return further

    def _readable(self) -> bool:
        """Asking uses the descriptor's edge up: whoever is told True must see to it."""
        return bool(int(self._outside.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def _answer(self, to: bytes, payload: bytes) -> None:
        """The first answer to a request; a second one reaches nobody. In any thread."""
        _, identity, kind, _ = to.split(b"/")
        with self._door:
            if to not in self._open:
                log.info("a further answer to %s dropped", to)
                return
            del self._open[to]
            try:
                self._send(bytes.fromhex(identity.decode()), kind == b"req", payload)
                used_up = self._readable()
            except zmq.ZMQError as error:
                log.info("answer to %s dropped: %s", to, error)
                used_up = not self._outside.closed
            if used_up:
                self._wake()

    def _send(self, identity: bytes, is_req: bool, payload: bytes) -> None:
        """Who does not read loses answers; but at the end they are many at once also for those
        who do, and there is a moment's time. Raises `ZMQError`, at the first frame if at all.
        """
        while True:
            try:
                self._give(identity, _MORE)
                break
            except zmq.Again:
                if self._going or time.monotonic() >= self._until:
                    raise
                time.sleep(0.002)  # nothing tells when it has read
        if is_req:
            self._give(b"", _MORE)
        self._give(payload, _NOW)


def _peer(frame: zmq.Frame) -> Peer | None:
    """The peer that sent this frame; None where libzmq does not say it."""
    try:
        return parse(str(frame.get("Peer-Address")))
    except zmq.ZMQError:
        return None
