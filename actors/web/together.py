"""A connection that sends the head of a response together with its body.

uvicorn writes them one after another, which wakes the client twice.
"""

import asyncio
from typing import Any


class Together:
    """What uvicorn writes a response to, in place of the `transport`.

    A head that names its body's length waits for the next write, which uvicorn makes at once: of
    the body, or of nothing where there is none. Belongs to one event loop.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write the data, after a head that waits."""
        head, self._head = self._head, b""
        if not head and data.startswith(b"HTTP/") and b"\r\ncontent-length: " in data.lower():
            self._head = data
        elif head or data:
            self._transport.write(head + data)

    def close(self) -> None:
        """Close the connection after what was written."""
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
