"""What a door's process is told by the runtime that starts it, and how it learns of the end.

A door is a client of the runtime's sockets in a process of its own. The first line of its standard
input says where the runtime is, as JSON. The process ends when standard input closes: a runtime
that was killed leaves no door behind.
"""

import os

import msgspec

from bus.logs import LogSettings


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the runtime is, and the secret that proves a message is a door's (`peer.Speaker`)."""

    requests: str
    feed: str
    secret: str
    logs: LogSettings = LogSettings()


class WebDoor(Place, frozen=True, kw_only=True):
    """What the web door's process is told.

    `token` is the one that the door requires, and `hosts` are the values of the header `Host` that
    name it. `certificate` and `key` are the files of TLS, "" for none.
    """

    token: str
    hosts: tuple[str, ...]
    certificate: str = ""
    key: str = ""


class TcpDoor(Place, frozen=True, kw_only=True):
    """What the TCP door's process is told: the home with its keys, and where the door listens."""

    home: str
    tcp_requests: str
    tcp_feed: str


def first_line() -> bytes:
    """Return the first line of standard input; b"" if it closes before."""
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(0, 1)
        if not read:
            return b""
        line += read
    return line


async def stdin_closed() -> None:
    """Return when the runtime's end of the pipe is closed."""
    import asyncio  # only in a door's process

    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    loop.add_reader(0, lambda: closed.set() if not os.read(0, 4096) else None)
    await closed.wait()
