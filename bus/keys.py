"""The keys of the TCP door: who may connect from other machines, and what each may do.

They are files of the home, in `keys/` (0700), each 0600 and written whole. `server` holds the
door's own two pairs, one for requests and one for the feed. `NAME.key` holds the public key of one
client and its right. The client's secret is in the file that is handed to the client, and is not
kept here.

The TCP door reads this directory at each handshake and at each change, so a command that changes
it needs no runtime. All keys are Curve25519, written in Z85 as ZeroMQ does (40 characters).
"""

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq
from zmq.utils import z85

from bus import clock
from bus.peer import Right

T = TypeVar("T")

VERSION = 1
LARGEST = 4_096
"""Bytes of a key file. A larger one is not read."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}\Z")
_SUFFIX = ".key"
_Z85_LENGTH = 40


class BadKey(Exception):
    """A key cannot be made, found or read; the message says which one, and why."""


class Pair(msgspec.Struct, frozen=True):
    """A public key and its secret."""

    public: str
    secret: str


class ServerKeys(msgspec.Struct, frozen=True):
    """The door's own pairs. The feed has one of its own."""

    requests: Pair
    feed: Pair


class Key(msgspec.Struct, frozen=True):
    """A client that may connect: its public key, what it may do, and when it was made (UTC)."""

    name: str
    public: str
    right: Right
    made: str


class ClientKey(msgspec.Struct, frozen=True):
    """The file that a client is handed: its own pair, and the door it belongs to.

    `server_requests` and `server_feed` are the door's public keys: by them the client knows that
    it speaks to no other. `requests` and `feed` are the endpoints, "" while the door is closed.
    """

    version: int
    name: str
    public: str
    secret: str
    server_requests: str
    server_feed: str
    requests: str = ""
    feed: str = ""


_decode_server_keys = msgspec.json.Decoder(ServerKeys).decode
_decode_key = msgspec.json.Decoder(Key).decode
_decode_client_key = msgspec.json.Decoder(ClientKey).decode


def new_pair() -> Pair:
    """Return a new pair of keys."""
    public, secret = zmq.curve_keypair()
    return Pair(public.decode(), secret.decode())


def server_keys(home: Path) -> ServerKeys:
    """Return the door's own keys; make them at the first call. Raise `BadKey` or `OSError`."""
    path = _directory(home) / "server"
    with suppress(FileExistsError):
        _write_new(path, ServerKeys(new_pair(), new_pair()))
    found = _read(path, _decode_server_keys)
    if found is None:
        raise BadKey(f"{path} cannot be read as the door's own keys; remove it to make new ones")
    return found


def known(home: Path) -> list[Key]:
    """Return the keys that may connect, by name. A file that cannot be read admits nobody."""
    found = (_read(path, _decode_key) for path in sorted((home / "keys").glob(f"*{_SUFFIX}")))
    return [key for key in found if key is not None]


def add(home: Path, name: str, public: str, right: Right) -> Key:
    """Let the client with this public key connect. Raise `BadKey` or `OSError`."""
    if not _NAME.match(name):
        raise BadKey(f"{name!r} is no name: use a-z, 0-9 and -, at most 48 characters")
    _check_public(public)
    for other in known(home):
        if other.public == public:
            raise BadKey(f"the key {other.name!r} has this public key already")
    key = Key(name, public, right, clock.stamp())
    try:
        _write_new(_directory(home) / f"{name}{_SUFFIX}", key)
    except FileExistsError:
        raise BadKey(
            f"there is a key {name!r} already; revoke it first, or use another name"
        ) from None
    return key


def limit(home: Path, name: str, right: Right) -> Key:
    """Change what a key may do. Raise `BadKey` or `OSError`."""
    path = _path(home, name)
    old = _read(path, _decode_key)
    if old is None:
        raise BadKey(f"{path} cannot be read; revoke the key and make a new one")
    key = msgspec.structs.replace(old, right=right)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    _write_new(draft, key)
    draft.replace(path)
    return key


def revoke(home: Path, name: str) -> None:
    """Take a key's right to connect away. Its connections are ended. Raise `BadKey`."""
    _path(home, name).unlink(missing_ok=True)


def write_client(path: Path, key: ClientKey) -> None:
    """Write a client's file, 0600. Raise `BadKey` if there is a file, or `OSError`."""
    try:
        _write_new(path, key)
    except FileExistsError:
        raise BadKey(f"{path} is there already") from None


def read_client(path: Path) -> ClientKey:
    """Return a client's key from the file it was handed. Raise `BadKey`."""
    found = _read(path, _decode_client_key)
    if found is None:
        raise BadKey(f"{path} is not a client's key file")
    return found


def show_key(socket: "zmq.Socket[bytes]", key: ClientKey, server: str) -> None:
    """Have a socket show this key when it connects, and refuse a server that is not `server`."""
    socket.curve_serverkey = server.encode()
    socket.curve_publickey = key.public.encode()
    socket.curve_secretkey = key.secret.encode()


def _path(home: Path, name: str) -> Path:
    """Return the file of a key. Raise `BadKey` if there is none."""
    path = home / "keys" / f"{name}{_SUFFIX}"
    if not _NAME.match(name) or not path.exists():
        names = ", ".join(key.name for key in known(home)) or "none"
        raise BadKey(f"there is no key {name!r}; there are: {names}")
    return path


def _directory(home: Path) -> Path:
    directory = home / "keys"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def _check_public(public: str) -> None:
    try:
        fits = len(public) == _Z85_LENGTH and len(z85.decode(public)) == 32
    except (KeyError, ValueError, OverflowError, UnicodeError):
        fits = False
    if not fits:
        raise BadKey(f"{public[:60]!r} is no public key: it has 40 characters of Z85")


def _write_new(path: Path, value: object) -> None:
    """Write a new file that only its owner can read. Raise `FileExistsError` or `OSError`.

    It has its mode from the beginning, because what is made first and closed later can be read in
    between. It appears whole, because the door may read it at once.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(value)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()


def _read(path: Path, decode: Callable[[bytes], T]) -> T | None:
    """Return what a regular file of at most `LARGEST` bytes holds; None if it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return decode(file.read(LARGEST))
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
