"""The process at the other end of a connection, and the caller derived from it.

On a Unix socket the kernel names the peer: libzmq gives its uid, gid and pid with each frame, as
they were when it connected. A client cannot choose them.
"""

import os
from collections.abc import Callable
from enum import StrEnum

import msgspec


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
    AGENT = "agent"
    """A program in one of our terminals, or code that it left for our git to run."""
    POLICY = "policy"
    """A rule of the plan."""
    STRANGER = "stranger"
    """Another user, or an unknown caller."""


class Caller(msgspec.Struct, frozen=True):
    """Who sends a request.

    `peer` is what the system reports about the process. `refusal` is why its requests are refused,
    "" for a person.
    """

    by: By
    peer: str = ""
    refusal: str = ""


NOBODY = Caller(By.RUNTIME)
"""The runtime itself, for changes that no request caused."""

Identify = Callable[[Peer | None], Caller]


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


def by_user(peer: Peer | None) -> Caller:
    """Identify a caller by its user alone: this user and root are persons, others strangers."""
    if peer is None:
        return Caller(By.STRANGER, "", "the connection does not say whose it is")
    if peer.uid not in (os.getuid(), 0):
        return Caller(By.STRANGER, described(peer), f"it comes from user {peer.uid}")
    return Caller(By.PERSON, described(peer))
