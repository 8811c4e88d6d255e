"""A client of the requests socket, for programs outside the runtime."""

import itertools
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import zmq

from bus import requests
from bus.context import Context
from bus.errors import NO_BODY, Refused, malformed
from bus.keys import ClientKey, show_key
from bus.reasons import Reason
from bus.request_base import Request
from bus.requests import RuntimeInfo

R = TypeVar("R")


LOOK_SECONDS = 0.5
"""Interval at which a waiting client checks whether the runtime still serves."""


class NoAnswer(Exception):
    """The runtime did not answer in time; whether it carried out the request is unknown."""


class Client:
    """Sends one request after another. Only one thread may use it.

    >>> with Client("ipc:///…/requests") as client:          # doctest: +SKIP
    ...     client.ask(WorkflowGet(workflow="demo")).status
    <WorkflowStatus.RUNNING: 'running'>
    """

    def __init__(
        self,
        endpoint: str,
        timeout: float = 30.0,
        serves: Callable[[], bool] = lambda: True,
        key: ClientKey | None = None,
    ) -> None:
        """Connect to the requests socket at `endpoint`; `timeout` is in seconds.

        `serves` says whether a runtime still serves. It is called twice a second while a request
        waits for its answer. `key` is for the TCP door.
        """
        self._key = key
        self._epoch = ""
        self._name = os.urandom(8).hex()
        self._timeout = timeout
        self._serves = serves
        self._numbers = itertools.count(1)
        self._endpoint = endpoint
        self._context = Context()
        self._socket = self._connected()

    def _connected(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        if self._key is not None:
            show_key(socket, self._key, self._key.server_requests)
        socket.connect(self._endpoint)
        return socket

    def _new_id(self) -> str | int:
        """Return the id of the next request. Over TCP it begins with the runtime's epoch."""
        number = next(self._numbers)
        if self._key is None:
            return number
        if not self._epoch:
            frame = requests.encode(RuntimeInfo(id=number))
            found = self._exchange("runtime.info", number, frame, None)
            self._epoch = requests.decode_result(RuntimeInfo(), found).epoch
            number = next(self._numbers)
        return f"{self._epoch}/{self._name}-{number}"

    def ask(self, request: Request[R], *, timeout: float | None = None) -> R:
        """Send a request and return its typed result; `timeout` is in seconds.

        Raise `Refused` with the runtime's error, also for text that is not UTF-8, or `NoAnswer`.
        """
        number = self._new_id()
        kind = str(request.__struct_config__.tag)
        try:
            frame = requests.encode(msgspec.structs.replace(request, id=number))
        except UnicodeEncodeError as error:
            raise malformed("", f"a text is not UTF-8: {error.object[:100]!r}") from error
        return requests.decode_result(request, self._exchange(kind, number, frame, timeout))

    def call(self, type: str, *, timeout: float | None = None, **fields: Any) -> Any:
        """Send a request given as plain data and return its result as plain data."""
        number = self._new_id()
        frame = msgspec.json.encode({"type": type, "id": number, **fields})
        return msgspec.json.decode(self._exchange(type, number, frame, timeout))

    def _exchange(self, type: str, number: str | int, frame: bytes, timeout: float | None) -> bytes:
        """Send a frame, wait for the reply to `number`, and return its result as JSON."""
        wait = self._timeout if timeout is None else timeout
        self._socket.setsockopt(zmq.SNDTIMEO, int(wait * 1000))
        try:
            self._socket.send(frame)
        except zmq.Again:  # libzmq gives a connection up whose key was refused
            raise NoAnswer(f"{type}: no connection; is the key still known there?") from None
        while self._wait(wait):
            reply = requests.decode_reply(self._socket.recv())
            # The id of a request that is too large is not read.
            unread = reply.id is None and not reply.ok
            if reply.id != number and not unread:
                continue
            if reply.ok:
                return bytes(reply.result)
            error = reply.error or NO_BODY
            if error.reason == Reason.OTHER_EPOCH:
                self._epoch = ""  # another runtime serves now; the next request asks for its epoch
            raise Refused.told(error)
        # Closing the socket drops a request that is still queued: nobody waits for its answer now.
        self._socket.close()
        self._socket = self._connected()
        if not self._serves():
            raise NoAnswer(f"{type}: the runtime has ended without an answer")
        raise NoAnswer(f"{type}: no answer within {wait:g} s")

    def _wait(self, seconds: float) -> bool:
        """Wait for a frame; return False after `seconds`, or if the runtime has ended."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._socket.poll(int(min(left, LOOK_SECONDS) * 1000)):
                return True
            if not self._serves():
                return bool(self._socket.poll(0))
        return bool(self._socket.poll(0))

    def close(self) -> None:
        """Close the socket and its context."""
        self._socket.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
