"""Ask the runtime from asyncio: many requests under way on one ROUTER connection.

`bus.client.Client` waits in its thread; a web door has no thread to spare for each request.
"""

import asyncio
import itertools
from typing import Any

import msgspec
import zmq

from actors.web.port import Port
from bus import requests
from bus.errors import NO_BODY, Refused
from bus.peer import TICKET, Speaker
from bus.reasons import Reason
from bus.requests import Reply

_TICKET = TICKET + b"web"
"""What comes before the answers to requests that name a speaker. Replies are told apart by id."""


class Asking:
    """Sends requests and gives each its reply. Belongs to one event loop."""

    def __init__(self, endpoint: str) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._port = Port(zmq.Context.instance(), zmq.DEALER, endpoint, self._take)

    async def ask(self, request: Any, speaker: Speaker | None = None) -> bytes:
        """Send a request struct and return its result as JSON. Raises `Refused`.

        Without a reply within the request's `patience` it is refused with 503, and whether it was
        carried out is unknown.

        `speaker` is for whom it is sent; None for the web door itself.
        """
        number = next(self._numbers)
        request.id = number
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting[number] = future
        # A timer of its own: `asyncio.timeout` costs more than the rest of this, and `wait_for` of
        # Python 3.11 drops a cancellation that comes with the reply.
        late = loop.call_later(request.patience, _end, future, request.patience)
        try:
            frames = [requests.encode(request)]
            if speaker is not None:
                frames = [_TICKET, msgspec.json.encode(speaker), *frames]
            self._port.send(frames)
            reply = await future
        except zmq.Again:
            raise Refused(503, Reason.NO_ANSWER, "too many requests wait for the runtime") from None
        finally:
            late.cancel()
            self._waiting.pop(number, None)
        if reply.ok:
            return bytes(reply.result)
        raise Refused.told(reply.error or NO_BODY)

    def _take(self, frames: list[bytes]) -> None:
        """Give a reply to the request that waits for it."""
        reply = requests.decode_reply(frames[-1])
        future = self._waiting.get(reply.id)
        if future is not None and not future.done():
            future.set_result(reply)

    def close(self) -> None:
        """Close the connection. Requests under way end with their time limit."""
        self._port.close()


def _end(future: "asyncio.Future[Reply]", patience: float) -> None:
    """Refuse a request that has waited so long for its reply."""
    if not future.done():
        future.set_exception(
            Refused(503, Reason.NO_ANSWER, f"the runtime did not answer within {patience:g} s")
        )
