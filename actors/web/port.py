"""A ZeroMQ socket in asyncio.

`zmq.asyncio` makes a future and a timer for each message, which costs more than the message. Here
the event loop watches the descriptor of the socket, and each message goes to a plain function.
"""

import asyncio
from collections.abc import Callable, Sequence

import zmq

Receive = Callable[[list[bytes]], None]

BURST = 256
"""Messages that are received before the event loop has another turn."""

_NOW, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
_EVENTS, _IN = int(zmq.EVENTS), int(zmq.POLLIN)
"""Plain numbers, as `bus/router.py` says."""


class Port:
    """One connected socket. Belongs to one event loop, which must run when it is made.

    `receive` is called with the frames of each message.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], kind: int, endpoint: str, receive: Receive
    ) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._socket = context.socket(kind)
        self._socket.linger = 0
        if kind == zmq.SUB:
            self._socket.subscribe(b"")
        self._socket.connect(endpoint)
        # pyzmq's `send` checks for options of draft sockets first, as `bus/router.py` says.
        self._put = super(zmq.Socket, self._socket).send
        self._fd = int(self._socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._fd, self._take)
        self._loop.call_soon(self._take)  # what came before the descriptor was watched

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message without waiting. Raise `zmq.Again` if too many wait to be sent."""
        *first, last = frames
        for frame in first:
            self._put(frame, _MORE)
        self._put(last, _NOW)
        if self._readable():  # a use of the socket may reset the edge of its descriptor
            self._loop.call_soon(self._take)

    def _take(self) -> None:
        for _ in range(BURST):
            if self._socket.closed or not self._readable():
                return
            self._receive(self._socket.recv_multipart(_NOW))
        self._loop.call_soon(self._take)

    def _readable(self) -> bool:
        return bool(int(self._socket.getsockopt(_EVENTS)) & _IN)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._fd)
        self._socket.close()
