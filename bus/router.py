"""The router: every message goes through it, from actor to actor and from outside.

Inside, a message is one frame: the receiver's address, the sender's address and the encoded
message, with a NUL after each address. It is one frame because each further frame costs as much as
handling the message. The sending thread itself takes the message out of the ROUTER and calls
`deliver`, which puts it into a mailbox. A thread in between would double the wake-ups, which are
the main cost of a message.

Outside, a client (DEALER or REQ) sends one JSON frame and gets one back. Its address is `client/…`,
to which any actor may send the answer. The door's thread receives the requests, so clients cannot
starve the messages inside. An answer is sent in the thread of the actor that answers.

The door waits on the descriptor of its socket and never inside a ZeroMQ call, so any thread may use
the socket under one lock. The descriptor, `ZMQ_FD`, is edge-triggered: a use of the socket by
another thread may reset its edge, and that thread must then wake the door.

Sending never blocks (hazard 25): inside there is no high-water mark. Clients are limited in the
size of a frame, the requests that wait (`backlog`), and the answers that they leave unread.
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
from bus.context import Context
from bus.errors import Refused, malformed
from bus.gate import Entrance, Gate
from bus.peer import TICKET, By, Caller, Identify, Peer, by_user, parse
from bus.reasons import Reason

log = logging.getLogger("callboard.bus")

MAX_WAITING = 1_000
"""Requests from outside that may wait for the gateway; a further one is refused with 429."""

LAST_SECONDS = 10.0
"""Longest time for which a closing door still receives requests, and then for which it answers."""
QUIET_MS, BURST_MS = 100, 1_000
"""A closing door stops receiving when no request has arrived for this time. The longer one counts
once a request has come: on a busy machine a burst arrives with gaps, because its threads and those
of its sender get their turns apart."""
PATIENCE_SECONDS = 2.0
"""Longest time that a closing door waits for further requests in all, also for a client that asks
again and again."""
LINGER_MS = 2_000
"""How long the closing socket waits for clients that do not read their answers."""

_REMEMBERED = 512
"""Connections whose caller is remembered: to identify one costs a tenth of a small request."""

_HARD_LIMIT = 64 << 20
"""In bytes. A larger frame ends its connection before it is read into memory."""

_STOPPING = Refused(503, Reason.STOPPING, "the runtime is starting or stopping")
"""A constant, never raised: a raised exception would keep its frames and requests alive."""

_NOW, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
_EVENTS, _IN = int(zmq.EVENTS), int(zmq.POLLIN)
"""Plain numbers: combining two flags, or a number with one, takes as long as sending a frame."""

_DEALER = b"dealer"
"""The kind of client, in its address, whose answers are one frame. Any other kind is the frame that
comes before the answer, in hexadecimal: a door's ticket, or the empty frame of a REQ socket."""

_numbers = itertools.count(1)


class Envelope(msgspec.Struct, frozen=True):
    """An entry of a mailbox: the sender's address and the encoded message.

    A request from outside also has its caller.
    """

    sender: str
    payload: bytes
    caller: Caller | None = None


Deliver = Callable[[str, Envelope], bool]
Socket = zmq.Socket[bytes]


class Bus:
    """The router and the door, and the two ports through which this process sends.

    `send` may be called from any thread. `deliver` is called in the sender's thread, one message at
    a time, or in the door's thread for a request. `backlog` is called in the door's thread. Neither
    may wait or send. `on_death` is called if the door's thread fails: no request is received any
    more, and the runtime must end. `identify` returns the caller of a request. It is called in the
    door's thread when the request arrives, because the client's process may end soon after. `room`
    returns how many further connections fit.
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
        self._context = Context()
        number = next(_numbers)
        self._inside, self._port = self._pair(f"inproc://bus-{number}", zmq.ROUTER, zmq.DEALER)
        self._street = Context()  # its own: `term` waits until the answers have gone out
        self._outside = self._street.socket(zmq.ROUTER)
        # pyzmq's `send` checks for options of draft sockets first, which takes 0.5 us of 5.
        self._put = super(zmq.Socket, self._port).send
        self._give = super(zmq.Socket, self._outside).send
        self._outside.maxmsgsize = _HARD_LIMIT
        self._outside.router_mandatory = True  # an answer that cannot be sent raises an error
        self._until = 0.0
        self._received = 0  # requests so far
        self._persons: dict[bytes, Caller] = {}  # by connection
        self._open: dict[bytes, Any] = {}  # ids of unanswered requests, by address
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
        """Return two connected sockets of this process: the receiving one and the sending one."""
        receiving, sending = self._context.socket(near), self._context.socket(far)
        for each in (receiving, sending):
            each.set_hwm(0)
        receiving.bind(name)
        sending.connect(name)
        return receiving, sending

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The context of the sockets inside this process."""
        return self._context

    def bind(self, endpoint: str) -> None:
        """Open the door for clients. Call this before `start`. Raise `ZMQError`."""
        self._entrance = self.gate.open(self._outside, endpoint, self._door, self._wake)

    def start(self) -> None:
        """Start the door's thread."""
        self._thread.start()

    def send(self, to: str, payload: bytes, sender: str = "") -> bool:
        """Put an encoded message into its mailbox; return False if there is none. Never block."""
        if to.startswith("client/"):
            self._answer(to.encode(), payload)
            return True
        frame = f"{to}\0{sender}\0".encode() + payload
        with self._sending:
            self._put(frame)
            return self._route()

    def _route(self) -> bool:
        self._inside.recv()  # the identity of the sending port, always the same
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
        """Refuse every request that has no answer yet, including requests not yet received.

        The answers have gone out when this returns. Later answers are dropped.
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
        """Run the door's thread, and report its failure."""
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
        received, waited = self._received, 0.0
        while time.monotonic() < self._until and waited < PATIENCE_SECONDS:
            if self._take_outside():
                continue
            begin = time.monotonic()
            found = poll.poll(BURST_MS if self._received > received else QUIET_MS)
            waited += time.monotonic() - begin
            if not found:
                break
            if (self._wake_read, select.POLLIN) in found:
                os.read(self._wake_read, 512)
        self._until = time.monotonic() + LAST_SECONDS
        for to, id in list(self._open.items()):
            self._answer(to, requests.refused(id, _STOPPING))

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            log.debug("the door has been woken already")

    def _take_outside(self) -> bool:
        """Receive one request; return whether a further one is there.

        One at a time, so that answers go out between requests.
        """
        try:
            with self._door:
                connection = self._outside.recv(_NOW)
                received = self._outside.recv_multipart(_NOW, copy=False)
                further = self._readable()
        except zmq.Again:
            return False
        self._received += 1
        kind, said, frames = _taken_apart([frame.bytes for frame in received])
        to = b"client/%b/%b/%d" % (connection.hex().encode(), kind, next(_numbers))
        small = len(frames) == 1 and len(frames[0]) <= requests.MAX_FRAME
        self._open[to] = requests.id_of(frames[0]) if small else None
        try:
            if len(frames) != 1:
                raise malformed("", f"a request is one JSON frame, not {len(frames)}")
            frame = frames[0]
            if len(frame) > requests.MAX_FRAME:
                raise malformed("", f"a request holds at most {requests.MAX_FRAME} bytes")
            caller = self._caller(connection, received[-1], said)
            if self._backlog() >= MAX_WAITING:
                raise Refused(429, Reason.FULL, "too many requests wait; try again later")
            if not self._deliver(GATEWAY, Envelope(to.decode(), frame, caller)):
                self._answer(to, requests.refused(self._open[to], _STOPPING))
        except Refused as error:
            self._answer(to, requests.refused(self._open[to], error))
        return further

    def _caller(self, connection: bytes, frame: zmq.Frame, said: bytes) -> Caller:
        """Identify who sent a frame; a person's connection is identified once.

        The kernel notes the peer when it connects, and ZeroMQ gives each connection a name of its
        own, which begins with a zero byte. A name that the client chose does not.
        """
        known = self._persons.get(connection) if not said else None
        if known is not None:
            return known
        caller = self._identify(_peer(frame), said)
        if caller.by == By.PERSON and not said and connection.startswith(b"\0"):
            if len(self._persons) >= _REMEMBERED:
                self._persons.clear()
            self._persons[connection] = caller
        return caller

    def _readable(self) -> bool:
        """Return whether a request can be received.

        Reading `ZMQ_EVENTS` resets the descriptor's edge: if this is True, the caller must receive
        the request or wake the door.
        """
        return bool(int(self._outside.getsockopt(_EVENTS)) & _IN)

    def _answer(self, to: bytes, payload: bytes) -> None:
        """Send the first answer to a request and drop any further one. Any thread may call."""
        _, identity, kind, _ = to.split(b"/")
        with self._door:
            if to not in self._open:
                log.info("a further answer to %s dropped", to)
                return
            del self._open[to]
            try:
                self._send(bytes.fromhex(identity.decode()), kind, payload)
                used_up = self._readable()
            except zmq.ZMQError as error:
                log.info("answer to %s dropped: %s", to, error)
                used_up = not self._outside.closed
            if used_up:
                self._wake()

    def _send(self, identity: bytes, kind: bytes, payload: bytes) -> None:
        """Send an answer, in the frames that its kind of client expects.

        Raise `ZMQError` if the client is gone or its queue is full.

        A closing door sends many answers at once, more than the queue of a client that reads may
        hold, so it retries for a while. An error can occur at the first frame only.
        """
        while True:
            try:
                self._give(identity, _MORE)
                break
            except zmq.Again:
                if self._going or time.monotonic() >= self._until:
                    raise
                time.sleep(0.002)  # no event reports that the client has read
        if kind != _DEALER:
            self._give(bytes.fromhex(kind.decode()), _MORE)
        self._give(payload, _NOW)


def _taken_apart(frames: list[bytes]) -> tuple[bytes, bytes, list[bytes]]:
    """Return what kind of client sent these frames, what a door says of itself, and the request.

    A REQ socket puts an empty frame before its request and expects one before the answer. A door's
    process puts its ticket, which comes back before the answer, and a `Speaker`.
    """
    if len(frames) == 2 and not frames[0]:
        return b"", b"", frames[1:]
    if len(frames) == 3 and frames[0].startswith(TICKET) and frames[1]:
        return frames[0].hex().encode(), frames[1], frames[2:]
    return _DEALER, b"", frames


def _peer(frame: zmq.Frame) -> Peer | None:
    """Return the peer that sent this frame; None if libzmq does not report it."""
    try:
        return parse(str(frame.get("Peer-Address")))
    except zmq.ZMQError:
        return None
