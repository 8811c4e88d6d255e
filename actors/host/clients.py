# ruff: noqa: PTH108, PTH116, SIM105
# pathlib and contextlib would cost the host a megabyte.
"""The host's socket: its clients, complete frames in, bounded answers out. Standard library only.

A client that misbehaves or does not read loses its own connection; the others notice nothing.
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
    """One connection.

    `follow` is the next offset to push, or -1. `quiet` are the silences to report, sorted, in ms.
    """

    def __init__(self, sock: "socket.socket") -> None:
        self.sock = sock
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.welcome = False
        self.told = False  # it was sent EXIT
        self.follow = -1
        self.quiet: list[int] = []
        self.held = 0.0  # when an ACK that waits for output is sent all the same
        self.fired = 0  # how many silences of `quiet` were sent since the last burst

    def send(self, kind: int, *parts: bytes) -> None:
        """Append a frame to the answers that wait to be sent."""
        self.held = 0.0
        self.outbox += wire.frame(kind, *parts)


class Clients:
    """Listens on `path`, replacing a socket there. `by_fd` are the clients by descriptor."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.by_fd: dict[int, Client] = {}
        self._socket = _listening(path)
        self._inode = os.stat(path).st_ino

    def move(self, path: str) -> bool:
        """Listen at path from now on, and keep the clients. Return False if it does already."""
        try:
            if path == self.path and os.stat(path).st_ino == self._inode:
                return False
        except FileNotFoundError:
            pass
        fresh = _listening(path)
        self._socket.close()
        self._socket, self.path, self._inode = fresh, path, os.stat(path).st_ino
        return True

    def fileno(self) -> int:
        """Return the descriptor of the listening socket."""
        return self._socket.fileno()

    @property
    def guests(self) -> list[Client]:
        """The clients that have sent HELLO."""
        return [client for client in self.by_fd.values() if client.welcome]

    def writers(self, end: int, now: float) -> list[int]:
        """Return the descriptors of those to whom something can be sent now; `end` is the log's."""
        return [
            fd
            for fd, client in self.by_fd.items()
            if client.held <= now and (client.outbox or 0 <= client.follow < end)
        ]

    def accept(self) -> None:
        """Accept a connection. If there are too many, drop one that has not sent HELLO."""
        try:
            fd, _ = self._socket._accept()  # type: ignore[attr-defined] # noqa: SLF001
        except OSError:
            return
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        strangers = [client for client in self.by_fd.values() if not client.welcome]
        if len(self.by_fd) >= CLIENT_LIMIT and strangers:
            self.drop(strangers[0])
        if len(self.by_fd) >= CLIENT_LIMIT or _peer_uid(sock) not in (None, os.getuid()):
            sock.close()
        else:
            self.by_fd[fd] = Client(sock)

    def receive(self, client: Client) -> None:
        """Read what has come. Raise OSError if the connection is closed."""
        try:
            data = client.sock.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            raise OSError(errno.EPIPE, "closed")
        client.inbox += data

    def next_frame(self, client: Client) -> tuple[int, bytes] | None:
        """Return the next complete frame as (kind, payload), or None.

        Raise ValueError if it is too long, OSError if the client leaves too many answers unread.
        """
        if len(client.outbox) > OUTBOX_LIMIT:
            raise OSError(errno.ENOBUFS, "does not read its answers")
        return wire.take(client.inbox, wire.FRAME_LIMIT if client.welcome else wire.HELLO_LIMIT)

    def flush(self, client: Client) -> None:
        """Send what the client takes. Drop a client that leaves too much unread."""
        try:
            if client.outbox:
                del client.outbox[: client.sock.send(client.outbox)]
        except BlockingIOError:
            if len(client.outbox) > OUTBOX_LIMIT:
                self.drop(client)
        except OSError:
            self.drop(client)

    def drop(self, client: Client) -> None:
        """Close the connection of a client."""
        if self.by_fd.pop(client.sock.fileno(), None):
            client.sock.close()

    def close(self) -> None:
        """Remove the socket, and stop listening."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        self._socket.close()


def _listening(path: str) -> "socket.socket":
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.bind(path)
    sock.listen(CLIENT_LIMIT)
    return sock


def _peer_uid(sock: "socket.socket") -> int | None:
    """Return the user id of the other end; None if the system does not tell."""
    try:
        if sys.platform == "linux":
            peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", peer)[1])
        local, peer_cred = 0, 1  # SOL_LOCAL, LOCAL_PEERCRED: struct xucred
        return int(struct.unpack_from("2I", sock.getsockopt(local, peer_cred, 76))[1])
    except OSError:
        return None
