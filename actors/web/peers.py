"""Which process is at the other end of a connection within this machine.

The token of `connection.json` is the user's, and an agent without a sandbox can read it. On a Unix
socket the kernel names the peer; on a TCP connection it does not. But the system lists both ends
of a connection within the machine, and which process has which socket open. Linux only: elsewhere
nothing is known, and the token alone counts.
"""

import asyncio
import ipaddress
import itertools
import os
import sys
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress

import msgspec

from bus.peer import Peer

End = tuple[str, int]
"""An address and a port."""
Ends = tuple[End, End]
"""The two ends of a connection: the client's and the server's."""
Socket = tuple[int, int]
"""The user and the inode of a socket."""

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
    """The peers of the open connections, each looked up once. Belongs to one event loop.

    All that ask while the system is read are answered by the next reading together. Each for itself
    would read the list of all connections: a thousand clients that come back at once would wait
    for a minute.
    """

    def __init__(self) -> None:
        self._found: dict[End, Found | None] = {}
        self._recent: list[int] = []
        self._asked: list[Ends] = []
        self._next: asyncio.Task[dict[Ends, Found]] | None = None
        self._turn = asyncio.Lock()

    async def find(self, client: End | None, server: End | None) -> Found:
        """Return the peer of a connection from `client` to `server`."""
        if client is None or server is None or sys.platform != "linux":
            return Found()
        known = self._found.get(client)
        if known is None:
            if not ipaddress.ip_address(client[0]).is_loopback:
                return Found(host=client[0])
            known = await self._look_up((client, server))
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

    async def _look_up(self, ends: Ends) -> Found:
        self._asked.append(ends)
        if self._next is None:
            self._next = asyncio.create_task(self._read(), name="peers")
        return (await asyncio.shield(self._next))[ends]

    async def _read(self) -> dict[Ends, Found]:
        """Wait for the reading that is under way, then answer all that have asked by now."""
        async with self._turn:
            asked, self._asked, self._next = self._asked, [], None
            return await asyncio.to_thread(self._shown, asked)

    def _shown(self, asked: list[Ends]) -> dict[Ends, Found]:
        """Return what the system shows of the peers of some connections. Runs in a thread."""
        sockets = _sockets(asked)
        holders = self._holders(set(sockets.values()))
        return {
            ends: Found(Peer(sockets[ends][0], 0, holders.get(sockets[ends], 0)))
            if ends in sockets
            else Found(lost=True)
            for ends in asked
        }

    def _holders(self, sockets: set[Socket]) -> dict[Socket, int]:
        """Return the process that has a socket open, for each of which one is shown."""
        found: dict[Socket, int] = {}
        for uid in {uid for uid, _ in sockets}:
            links = {f"socket:[{inode}]": (uid, inode) for u, inode in sockets if u == uid}
            for pid in itertools.chain(tuple(self._recent), _processes_of(uid)):
                held = [links.pop(link) for link in _links(pid, links)]
                if held:
                    found.update(dict.fromkeys(held, pid))
                    self._recent = [pid, *(other for other in self._recent if other != pid)]
                    del self._recent[RECENT:]
                if not links:
                    break
        return found


def _sockets(asked: Iterable[Ends]) -> dict[Ends, Socket]:
    """Return the clients' sockets, without those that no process has open."""
    wanted: dict[str, list[tuple[str, str, Ends]]] = {}
    for ends in asked:
        (client, port), (server, served) = ends
        ports = f"{port:04X}:{served:04X}"
        wanted.setdefault(ports, []).append((_hex(client), _hex(server), ends))
    found: dict[Ends, Socket] = {}
    for table in _TABLES:
        try:
            with open(table, encoding="ascii") as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split(None, 10)
            (near, from_port), (far, to_port) = words[1].split(":"), words[2].split(":")
            for client, server, ends in wanted.get(f"{from_port}:{to_port}", ()):
                if near.endswith(client) and far.endswith(server) and words[9] != "0":
                    found[ends] = (int(words[7]), int(words[9]))
    return found


def _hex(host: str) -> str:
    """Return an address as the tables show it: words of 32 bits in this machine's byte order."""
    packed = ipaddress.ip_address(host).packed
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


def _processes_of(uid: int) -> Iterator[int]:
    with os.scandir("/proc") as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.isdigit() and (uid == 0 or entry.stat().st_uid in (uid, 0)):
                    yield int(entry.name)


def _links(pid: int, wanted: Container[str]) -> set[str]:
    """Return which of the wanted links a process has among its open files."""
    directory, found = f"/proc/{pid}/fd", set()
    with suppress(OSError):
        for name in os.listdir(directory):  # noqa: PTH208 - thousands are read
            with suppress(OSError):
                link = os.readlink(f"{directory}/{name}")  # noqa: PTH115
                if link in wanted:
                    found.add(link)
    return found
