"""Who is at the other end of a connection, and who that makes the caller of a request.

On a Unix socket the kernel says it: libzmq gives the peer's uid, gid and pid with each frame,
as they were when it connected. A client cannot choose them.
"""

import os
from collections.abc import Callable
from enum import StrEnum

import msgspec


class Peer(msgspec.Struct, frozen=True):
    """The process that connected. `pid` is 0 where the system does not say it (macOS)."""

    uid: int
    gid: int
    pid: int


class By(StrEnum):
    """Who caused a fact: its field `by`."""

    PERSON = "person"
    """A person's door: the command line, a script of the user's."""
    AGENT = "agent"
    """A program in one of our terminals, or something that it left for our git to run."""
    POLICY = "policy"
    """A rule of the plan."""
    STRANGER = "stranger"
    """Another user, or somebody of whom nothing is known."""


class Caller(msgspec.Struct, frozen=True):
    """Who sends a request.

    `peer` is what the system says of the process; `refusal` is why nothing is done for it, "" for a
    person.
    """

    by: str
    peer: str = ""
    refusal: str = ""


NOBODY = Caller("")
"""The runtime itself, where no request is the cause."""

Identify = Callable[[Peer | None], Caller]


def parse(text: str | None) -> Peer | None:
    """The peer of libzmq's `Peer-Address`: `HOST:UID:GID:PID` of a Unix socket, with HOST
    without a colon; None for any other.
    """
    host, *ids = (text or "").rsplit(":", 3)
    if len(ids) != 3 or ":" in host:
        return None
    if not all(number.isascii() and number.isdigit() for number in (ids[0], ids[1], ids[2] or "0")):
        return None
    return Peer(int(ids[0]), int(ids[1]), int(ids[2] or 0))


def described(peer: Peer) -> str:
    """The peer as facts say it."""
    return f"uid={peer.uid}" + (f" pid={peer.pid}" if peer.pid else "")


def by_user(peer: Peer | None) -> Caller:
    """Identify a caller by its user alone: ours, or root, or a stranger."""
    if peer is None:
        return Caller(By.STRANGER, "", "the connection does not say whose it is")
    if peer.uid not in (os.getuid(), 0):
        return Caller(By.STRANGER, described(peer), f"it comes from user {peer.uid}")
    return Caller(By.PERSON, described(peer))
