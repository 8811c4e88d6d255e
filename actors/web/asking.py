"""Ask the runtime from asyncio: many requests under way on one ROUTER connection.

`bus.client.Client` waits in its thread; a web door has no thread to spare for each request.
"""

import asyncio
import itertools
from contextlib import suppress
from typing import Any

import msgspec
import zmq
import zmq.asyncio

from bus import requests
from bus.errors import NO_BODY, Refused
from bus.peer import TICKET, Speaker
from bus.reasons import Reason
from bus.requests import Reply

ANSWER_SECONDS = 60.0
"""After so long without a reply a request is refused with 503; whether it was carried out is
unknown."""

_TICKET = TICKET + b"web"
"""What comes before the answers to requests that name a speaker. Replies are told apart by id."""


class Asking:
    """Sends requests and gives each its reply. Belongs to one event loop."""

    def __init__(self, endpoint: str) -> None:
        self._socket = zmq.asyncio.Context.instance().socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.connect(endpoint)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._reader = asyncio.create_task(self._read(), name="replies")

    async def ask(self, request: Any, speaker: Speaker | None = None) -> bytes:
        """Send a request struct and return its result as JSON. Raises `Refused`.

        `speaker` is for whom it is sent; None for the web door itself.
        """
        number = next(self._numbers)
        request.id = number
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            frames = [requests.encode(request)]
            if speaker is not None:
                frames = [_TICKET, msgspec.json.encode(speaker), *frames]
            await self._socket.send_multipart(frames)
            reply = await asyncio.wait_for(future, ANSWER_SECONDS)
        except TimeoutError:
            raise Refused(
                503, Reason.NO_ANSWER, f"the runtime did not answer within {ANSWER_SECONDS:g} s"
            ) from None
        finally:
            self._waiting.pop(number, None)
        if reply.ok:
            return bytes(reply.result)
        raise Refused.told(reply.error or NO_BODY)

    async def _read(self) -> None:
        """Give each reply to the request that waits for it."""
        while True:
            reply = requests.decode_reply((await self._socket.recv_multipart())[-1])
            future = self._waiting.get(reply.id)
            if future is not None and not future.done():
                future.set_result(reply)

    async def close(self) -> None:
        """Close the connection. Requests under way end with their time limit."""
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader
        self._socket.close()
