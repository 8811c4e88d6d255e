"""The two sockets that clients reach over TCP, each beside its connection to the runtime.

Only CURVE is spoken there, so NULL and PLAIN end at the greeting. A key that is not known is
refused in the handshake, before a frame is read. libzmq admits any key if nobody answers its ZAP
requests, unless `ZAP_ENFORCE_DOMAIN` is set.
"""

import asyncio
import itertools
import os
from contextlib import suppress

import msgspec
import zmq
import zmq.asyncio

from actors.tcp.admission import FEED, REQUESTS, Admission
from bus import requests
from bus.doors import TcpDoor
from bus.errors import Refused, malformed
from bus.keys import Pair
from bus.peer import TICKET, Speaker
from bus.reasons import Reason

Socket = zmq.asyncio.Socket
Context = zmq.asyncio.Context

MAX_FRAME = 4 << 20
"""In bytes. A larger frame ends its connection before it is read into memory."""
HANDSHAKE_MS = 5_000
"""Within so long a client must have shown its key."""
WAITING_FRAMES = 20_000
"""Facts kept for one subscriber that does not read, as on the runtime's own feed."""
DRAIN_SECONDS = 2.0
"""How long open requests may take when the connections end because a key was revoked."""


def listen(
    context: Context, kind: int, domain: str, own: Pair, endpoint: str, descriptor: int
) -> Socket:
    """Return a CURVE server that accepts on a copy of this listening descriptor."""
    socket = context.socket(kind)
    socket.linger = 0
    socket.maxmsgsize = MAX_FRAME
    socket.handshake_ivl = HANDSHAKE_MS
    socket.zap_domain = domain.encode()
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    socket.curve_server = True
    socket.curve_secretkey = own.secret.encode()
    socket.use_fd = os.dup(descriptor)
    socket.sndhwm = WAITING_FRAMES
    if kind == zmq.ROUTER:
        socket.router_mandatory = True
    if kind == zmq.XPUB:
        socket.xpub_verbose = True
    socket.bind(endpoint)
    return socket


class Requests:
    """Hands requests to the runtime and brings the answers back.

    It keeps nothing of a request: the client's routing id travels with it as its ticket. A frame's
    key is looked up for each frame, because a revoked key may still be connected.
    """

    def __init__(
        self, context: Context, door: TcpDoor, own: Pair, descriptor: int, admission: Admission
    ) -> None:
        self._door = door
        self._admission = admission
        self._open = 0
        self._numbers = itertools.count(1)
        endpoint = door.tcp_requests
        self._front = listen(context, zmq.ROUTER, REQUESTS, own, endpoint, descriptor)
        self._back = context.socket(zmq.DEALER)
        self._back.linger = 0
        self._back.connect(door.requests)
        self._tasks = [asyncio.create_task(self._up()), asyncio.create_task(self._down())]

    async def _up(self) -> None:
        while True:
            identity, *frames = await self._front.recv_multipart(copy=False)
            if not frames:
                continue
            is_req = len(frames) == 2 and not frames[0].bytes
            ticket = TICKET + (b"R" if is_req else b"D") + identity.bytes
            last = frames[-1]
            payload = last.bytes
            try:
                if len(frames) != 1 + is_req:
                    raise malformed("", f"a request is one JSON frame, not {len(frames)}")
                await self._hand_on(ticket, self._speaker(last), payload)
            except Refused as error:
                await self._answer(ticket, requests.refused(requests.id_of(payload), error))

    def _speaker(self, frame: zmq.Frame) -> Speaker:
        """Return for whom a frame speaks. Raise `Refused` (401) if its key is no longer known."""
        key = self._admission.find(str(frame.get("User-Id")))
        if key is None:
            raise Refused(401, Reason.KEY_REVOKED, "this key was revoked")
        return Speaker(
            self._door.secret,
            key.right,
            key=key.name,
            host=str(frame.get("Peer-Address")),
            request=f"tcp={next(self._numbers)}",
        )

    async def _hand_on(self, ticket: bytes, speaker: Speaker, payload: bytes) -> None:
        message = [ticket, msgspec.json.encode(speaker), payload]
        try:
            await self._back.send_multipart(message, zmq.NOBLOCK)
        except zmq.Again:
            raise Refused(429, Reason.FULL, "too many requests wait; try again later") from None
        self._open += 1

    async def _down(self) -> None:
        while True:
            ticket, payload = await self._back.recv_multipart()
            self._open -= 1
            await self._answer(ticket, payload)

    async def _answer(self, ticket: bytes, payload: bytes) -> None:
        kind, identity = ticket[len(TICKET) :][:1], ticket[len(TICKET) + 1 :]
        empty = [b""] if kind == b"R" else []
        with suppress(zmq.ZMQError):  # the client is gone, or does not read
            await self._front.send_multipart([identity, *empty, payload], zmq.NOBLOCK)

    async def drain(self) -> None:
        """Wait until all requests are answered, for at most `DRAIN_SECONDS`."""
        self._tasks[0].cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._open > 0:
                    await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End all connections."""
        await _close(self._tasks, self._front, self._back)

    @property
    def tasks(self) -> list["asyncio.Task[None]"]:
        """The tasks that carry messages. They do not end by themselves."""
        return self._tasks


class Feed:
    """Hands the feed on. Subscriptions go up, so that output flows only while somebody wants it."""

    def __init__(
        self, context: Context, door: TcpDoor, own: Pair, descriptor: int, admission: Admission
    ) -> None:
        self._admission = admission
        self._front = listen(context, zmq.XPUB, FEED, own, door.tcp_feed, descriptor)
        self._back = context.socket(zmq.XSUB)
        self._back.linger = 0
        self._back.rcvhwm = WAITING_FRAMES
        self._back.connect(door.feed)
        self._tasks = [asyncio.create_task(self._up()), asyncio.create_task(self._down())]

    async def _up(self) -> None:
        while True:
            word = await self._front.recv(copy=False)
            begins = word.bytes[:1] == b"\x01"
            if begins and self._admission.find(str(word.get("User-Id"))) is None:
                continue
            await self._back.send(word.bytes)

    async def _down(self) -> None:
        while True:
            await self._front.send(await self._back.recv())

    async def close(self) -> None:
        """End all connections."""
        await _close(self._tasks, self._front, self._back)

    @property
    def tasks(self) -> list["asyncio.Task[None]"]:
        """The tasks that carry messages. They do not end by themselves."""
        return self._tasks


async def _close(tasks: "list[asyncio.Task[None]]", *sockets: Socket) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for socket in sockets:
        socket.close()
