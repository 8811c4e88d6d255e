"""A client of the requests socket, for programs outside the runtime."""

import itertools
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import zmq

from bus import requests
from bus.errors import ErrorBody, Refused

T = TypeVar("T")


class NoAnswer(Exception):
    """The runtime did not answer in time; whether it carried out the request is unknown."""


class Client:
    """Asks one thing after another. Belongs to one thread.

    >>> with Client("ipc:///…/requests") as client:          # doctest: +SKIP
    ...     client.call("workflow.get", workflow="demo")["status"]
    'running'
    """

    def __init__(self, endpoint: str, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._numbers = itertools.count(1)
        self._endpoint = endpoint
        self._context = zmq.Context()
        self._socket = self._connected()

    def _connected(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.connect(self._endpoint)
        return socket

    def call(self, type: str, *, timeout: float | None = None, **fields: Any) -> Any:
        """The result of one request as plain data; `timeout` in seconds.

        Raises `Refused` with the runtime's error, or `NoAnswer`.
        """
        return self.ask(type, msgspec.json.decode, timeout=timeout, **fields)

    def ask(
        self,
        type: str,
        decode: Callable[[bytes], T],
        *,
        timeout: float | None = None,
        **fields: Any,
    ) -> T:
        """`call`, with the result decoded by `decode`."""
        number = next(self._numbers)
        self._socket.send(msgspec.json.encode({"type": type, "id": number, **fields}))
        wait = self._timeout if timeout is None else timeout
        while self._socket.poll(int(wait * 1000)):
            reply = requests.decode_reply(self._socket.recv())
            unread = reply.id is None and not reply.ok  # too large to be looked at for its id
            if reply.id != number and not unread:
                continue
            if reply.ok:
                return decode(bytes(reply.result))
            error = reply.error or ErrorBody(500, "unknown", "an error without a body")
            raise Refused(error.code, error.reason, error.message, path=error.path, help=error.help)
        # A request nobody has taken yet must not be carried out when nobody waits any more.
        self._socket.close()
        self._socket = self._connected()
        raise NoAnswer(f"{type}: no answer within {wait:g} s")

    def close(self) -> None:
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
