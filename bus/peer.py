"""The process at the other end of a connection, and the caller derived from it.

On a Unix socket the kernel names the peer: libzmq gives its uid, gid and pid with each frame, as
they were when it connected. A client cannot choose them.
"""

import os
from collections.abc import Callable
from enum import StrEnum

import msgspec

from bus.errors import malformed


class Peer(msgspec.Struct, frozen=True):
    """The process that connected. `pid` is 0 on systems that do not report it (macOS)."""

    uid: int
    gid: int
    pid: int


class By(StrEnum):
    """Who caused a fact; the value of its field `by`."""

    RUNTIME = ""
    """The runtime itself; no request and no rule of the plan."""

    PERSON = "person"
    """A person, through a door: the command line, or a script of the user."""
    KEY = "key"
    """A program that holds a key of the TCP door; `peer` names the key."""
    AGENT = "agent"
    """A program in one of our terminals, or code that it left for our git to run."""
    POLICY = "policy"
    """A rule of the plan."""
    ORCHESTRATOR = "orchestrator"
    """The model of the plan's `[orchestrator]`, whose proposal was carried out."""
    STRANGER = "stranger"
    """Another user, or an unknown caller."""


class Right(StrEnum):
    """What a caller may do; each right includes those before it."""

    FEED = "feed"
    """Read the feed, and send no request."""
    READ = "read"
    """Also send the requests that change nothing."""
    USE = "use"
    """Also steer workflows, and submit plans that bring no commands of their own."""
    OWN = "own"
    """All that the user may: the user's own processes, and keys that the user opened so far."""


class Caller(msgspec.Struct, frozen=True):
    """Who sends a request.

    `peer` is what the system reports about the process. `refusal` is why its requests are refused,
    "" for a person. `key` is the name of the TCP door's key, "" for a process of this machine.
    `request` is the number that a door gave the request, for the log.
    """

    by: By
    peer: str = ""
    refusal: str = ""
    right: Right = Right.OWN
    key: str = ""
    request: str = ""


TICKET = b"door-"
"""A door's message begins with a frame that begins so, and its answer too; the rest is the door's
own. A `Speaker` follows, and then the request."""


class Speaker(msgspec.Struct, frozen=True):
    """For whom a door's process sends a request: the second frame of its message.

    `secret` proves that the sender is a door's process; the runtime gave it to that process alone.
    `peer` is the process at the other end of a connection within this machine; its pid is 0 if the
    system shows only its user, and it is None if the system shows nothing. `lost` says that the
    connection has no process any more. `host` is the address of another machine, `key` the name of
    the key that it showed, `request` the door's own number of the request.
    """

    secret: str
    right: Right
    peer: Peer | None = None
    lost: bool = False
    key: str = ""
    host: str = ""
    request: str = ""


NOBODY = Caller(By.RUNTIME)
"""The runtime itself, for changes that no request caused."""

Identify = Callable[[Peer | None, bytes], Caller]
"""Called with the peer of a message, and with what it says of itself as a door (b"" for none)."""


def parse(text: str | None) -> Peer | None:
    """Return the peer that libzmq's `Peer-Address` names, or None.

    A Unix socket has `HOST:UID:GID:PID`, with no colon in HOST. Any other text gives None.
    """
    host, *ids = (text or "").rsplit(":", 3)
    if len(ids) != 3 or ":" in host:
        return None
    if not all(number.isascii() and number.isdigit() for number in (ids[0], ids[1], ids[2] or "0")):
        return None
    return Peer(int(ids[0]), int(ids[1]), int(ids[2] or 0))


def described(peer: Peer) -> str:
    """Return the peer in the form of facts."""
    return f"uid={peer.uid}" + (f" pid={peer.pid}" if peer.pid else "")


def by_user(peer: Peer | None, said: bytes = b"") -> Caller:
    """Identify a caller by its user alone: this user and root are persons, others strangers.

    Nobody is a door here. Raise `Refused` (422) for a message that says so.
    """
    if said:
        raise malformed("", "a request is one JSON frame, not three")
    if peer is None:
        return Caller(By.STRANGER, "", "the connection does not say whose it is")
    if peer.uid not in (os.getuid(), 0):
        return Caller(By.STRANGER, described(peer), f"it comes from user {peer.uid}")
    return Caller(By.PERSON, described(peer))
