# ruff: noqa: PTH108, SIM105
# pathlib and contextlib would cost the host a megabyte.
"""The host's socket: who is connected, whole frames in, bounded answers out.

Standard library only. Whatever a client does or does not do, only that client feels it.
"""

import _socket as socket  # without the enums and selectors of the wrapper around it
import errno
import os
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING or __package__:
    from actors.host import wire
else:
    import wire

CLIENT_LIMIT = 32
OUTBOX_LIMIT = 1 << 20
CHUNK = 65536


class Client:
    """One connection. follow is the next offset to push, or -1; quiet is sorted, in ms."""

    def __init__(self, sock: "socket.socket") -> None:
        self.sock = sock
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.welcome = False
        self.told = False  # has been sent EXIT
        self.follow = -1
        self.quiet: list[int] = []
        self.fired = 0  # how many of quiet have been sent in this burst

    def send(self, kind: int, *parts: bytes) -> None:
        self.outbox += wire.frame(kind, *parts)


class Door:
    """Listens on path, which it takes over, and keeps clients by their file descriptor."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.clients: dict[int, Client] = {}
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.bind(path)
        self._socket.listen(CLIENT_LIMIT)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def guests(self) -> list[Client]:
        """Clients that have said hello."""
        return [client for client in self.clients.values() if client.welcome]

    def accept(self) -> None:
        """Lets one in. When it is full, one that has not said hello must go."""
        try:
            fd, _ = self._socket._accept()  # type: ignore[attr-defined]
        except OSError:
            return
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        strangers = [client for client in self.clients.values() if not client.welcome]
        if len(self.clients) >= CLIENT_LIMIT and strangers:
            self.drop(strangers[0])
        if len(self.clients) >= CLIENT_LIMIT or _peer_uid(sock) not in (None, os.getuid()):
            sock.close()
        else:
            self.clients[fd] = Client(sock)

    def receive(self, client: Client) -> None:
        """Reads what has come. Raises OSError when the connection is over."""
        try:
            data = client.sock.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            raise OSError(errno.EPIPE, "closed")
        client.inbox += data

    def next_frame(self, client: Client) -> tuple[int, bytes] | None:
        """(kind, payload) or None. Raises ValueError if it is too long, OSError if unread."""
        if len(client.outbox) > OUTBOX_LIMIT:
            raise OSError(errno.ENOBUFS, "does not read its answers")
        return wire.take(client.inbox, wire.FRAME_LIMIT if client.welcome else wire.HELLO_LIMIT)

    def flush(self, client: Client) -> None:
        """Sends what the client takes; drops one that leaves too much."""
        try:
            if client.outbox:
                del client.outbox[: client.sock.send(client.outbox)]
        except BlockingIOError:
            if len(client.outbox) > OUTBOX_LIMIT:
                self.drop(client)
        except OSError:
            self.drop(client)

    def drop(self, client: Client) -> None:
        if self.clients.pop(client.sock.fileno(), None):
            client.sock.close()

    def close(self) -> None:
        """Nobody can find it any more."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        self._socket.close()


def _peer_uid(sock: "socket.socket") -> int | None:
    """Who is at the other end; None where the system does not say."""
    try:
        if sys.platform == "linux":
            peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", peer)[1])
        local, peer_cred = 0, 1  # SOL_LOCAL, LOCAL_PEERCRED: struct xucred
        return int(struct.unpack_from("2I", sock.getsockopt(local, peer_cred, 76))[1])
    except OSError:
        return None
