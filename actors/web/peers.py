"""Which process is at the other end of a connection within this machine.

The token of `connection.json` is the user's, and an agent without a sandbox can read it. On a Unix
socket the kernel names the peer; on a TCP connection it does not. But the system lists both ends
of a connection within the machine, and which process has which socket open. Linux only: elsewhere
nothing is known, and the token alone counts.
"""

import asyncio
import ipaddress
import os
import sys
from contextlib import suppress

import msgspec

from bus.peer import Peer

End = tuple[str, int]
"""An address and a port."""

RECENT = 32
"""Processes that are looked at first, because a client opens several connections."""

_TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")


class Found(msgspec.Struct, frozen=True):
    """What the system shows of a peer.

    `peer` is None if it shows nothing. `lost` says that its socket is closed, so that nobody can
    be named any more. `host` is the address of another machine.
    """

    peer: Peer | None = None
    lost: bool = False
    host: str = ""


class Peers:
    """The peers of the open connections, each looked up once. Belongs to one event loop."""

    def __init__(self) -> None:
        self._found: dict[End, Found | None] = {}
        self._recent: list[int] = []

    async def find(self, client: End | None, server: End | None) -> Found:
        """Return the peer of a connection from `client` to `server`."""
        if client is None or server is None or sys.platform != "linux":
            return Found()
        known = self._found.get(client)
        if known is None:
            if not ipaddress.ip_address(client[0]).is_loopback:
                return Found(host=client[0])
            known = await asyncio.to_thread(self._look_up, client, server)
            if client in self._found:
                self._found[client] = known
        return known

    def begin(self, client: End | None) -> None:
        """Note that a connection is open: its peer stays the same until `forget`."""
        if client is not None:
            self._found[client] = None

    def forget(self, client: End | None) -> None:
        """Note that a connection has ended: another process may use its port next."""
        if client is not None:
            self._found.pop(client, None)

    def _look_up(self, client: End, server: End) -> Found:
        socket = _socket(client, server)
        if socket is None:
            return Found(lost=True)
        uid, inode = socket
        pid = self._holder(uid, f"socket:[{inode}]")
        return Found(Peer(uid, 0, pid))

    def _holder(self, uid: int, link: str) -> int:
        """Return the process that has a socket open, 0 if none is shown."""
        for pid in [*self._recent, *_processes_of(uid)]:
            if _has_open(pid, link):
                self._recent = [pid, *(other for other in self._recent if other != pid)][:RECENT]
                return pid
        return 0


def _socket(client: End, server: End) -> tuple[int, int] | None:
    """Return the user and the inode of the client's socket; None if no process has it open."""
    ends = [(_hex(host), f"{port:04X}") for host, port in (client, server)]
    for table in _TABLES:
        try:
            with open(table, encoding="ascii") as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            shown = [words[1].split(":"), words[2].split(":")]
            if all(
                address.endswith(host) and at == port
                for (address, at), (host, port) in zip(shown, ends, strict=True)
            ):
                inode = int(words[9])
                return (int(words[7]), inode) if inode else None
    return None


def _hex(host: str) -> str:
    """Return an address as the tables show it: words of 32 bits in this machine's byte order."""
    packed = ipaddress.ip_address(host).packed
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


def _processes_of(uid: int) -> list[int]:
    found = []
    with os.scandir("/proc") as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.isdigit() and (uid == 0 or entry.stat().st_uid in (uid, 0)):
                    found.append(int(entry.name))
    return found


def _has_open(pid: int, link: str) -> bool:
    directory = f"/proc/{pid}/fd"
    with suppress(OSError):
        for name in os.listdir(directory):  # noqa: PTH208 - thousands are read
            with suppress(OSError):
                if os.readlink(f"{directory}/{name}") == link:  # noqa: PTH115
                    return True
    return False
