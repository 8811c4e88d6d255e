"""What terminal hosts write about themselves, and whether a host lives.

A host keeps its files in a directory of its own: `host.json` (an `Identity`), `exit.json` (an
`Exit`) and `lock`. Plain blocking functions, for any thread.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from actors.host import family
from actors.platform.files import open_regular, read_bounded
from bus.kinds import Ending

T = TypeVar("T")


def mark_of(token: str) -> str:
    """Return the mark of a host's processes, `CALLBOARD_TERMINAL` in their environment.

    It is made from the token and does not give it away: the program and all it starts know it.
    """
    return hashlib.sha256(f"mark {token}".encode()).hexdigest()[:32]


class Exit(msgspec.Struct, frozen=True):
    """How a terminal's program ended; the content of exit.json."""

    kind: Ending
    status: int
    """The exit code, the signal number, or the errno."""
    at: float
    """When, in Unix seconds."""
    offset: int
    """The end of the output."""
    leftovers: int
    """How many processes outlived the program and were ended."""
    survivors: int
    """How many processes even SIGKILL did not end."""
    told: bool = False
    """Whether the host was told to end the program. The status then says nothing of its work."""
    clock: float = 0.0
    """When, on the clock of `Identity.started`; 0 if unknown."""
    token: str = ""
    """The host's token: proof that the host that the runtime started wrote this."""


class Identity(msgspec.Struct, frozen=True):
    """The host of a terminal and its program; the content of host.json."""

    host_pid: int
    host_start: str
    program_pid: int
    program_start: str
    incarnation: int
    token: str
    socket: str
    started_at: float
    """When, in Unix seconds, to show to people."""
    started: float = 0.0
    """When, on `bus.clock.awake`; 0 if an older version of Callboard wrote it."""


class FoundHost(msgspec.Struct, frozen=True):
    """The directory of one host.

    `identity` is None if the host has not written it, `exit` if the program has not ended. `alive`
    says whether the host runs; None is unknown.
    """

    directory: Path
    identity: Identity | None
    alive: bool | None
    exit: Exit | None


decode_exit = msgspec.json.Decoder(Exit).decode
_LIMIT = 64 << 10
"""Bytes of a record at most."""
_decode_identity = msgspec.json.Decoder(Identity).decode


def read_exit(directory: Path) -> Exit | None:
    """Return how the program ended, or None if that is not written, or torn.

    Raise OSError, or msgspec.DecodeError if a living host has a record that cannot be read: the
    end is then unknown.
    """
    return _record(directory, "exit.json", decode_exit)


def read_identity(directory: Path) -> Identity | None:
    """Return the host and its program, or None if that is not written, or torn.

    Raise as `read_exit`.
    """
    return _record(directory, "host.json", _decode_identity)


def was_hosted(directory: Path) -> bool:
    """Whether a host wrote its record here, readable or not."""
    return (directory / "host.json").exists()


def _record(directory: Path, name: str, decode: Callable[[bytes], T]) -> T | None:
    try:
        data = read_bounded(directory / name, _LIMIT, follow=False)
    except FileNotFoundError:
        return None
    try:
        return decode(data)
    except msgspec.DecodeError:
        if host_lives(directory) is False:  # torn by a power cut, and its host is gone with it
            return None
        raise


def host_lives(directory: Path) -> bool | None:
    """Whether a host holds the lock of this directory. None is unknown.

    The system releases the lock when the host's process ends, however it ends.
    """
    try:
        fd = open_regular(directory / "lock", follow=False)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(fd)


def is_stopped(identity: Identity | None) -> bool | None:
    """Whether the program is stopped, as SIGSTOP stops it. None is unknown."""
    if identity is None or not family.LINUX:
        return None
    try:
        fields = family.stat(identity.program_pid)
    except OSError:
        return None
    return None if fields is None else fields[0] in "Tt"


def are_all_stopped(identity: Identity | None) -> bool | None:
    """Whether every process of the terminal is stopped. None is unknown, as on macOS.

    These are the processes of the program's session, and those that descend from its host.
    """
    if identity is None or not family.LINUX:
        return None
    try:
        states = [family.stat(pid) for pid, _ in _members(identity)]
    except OSError:
        return None
    return all(fields is None or fields[0] in "TtZX" for fields in states)


def _members(identity: Identity) -> set[family.Member]:
    return family.members(identity.program_pid, identity.host_pid)


def find_hosts(root: Path) -> Iterator[FoundHost]:
    """Yield every host directory below `root`. A record that cannot be read is None."""
    try:
        inside = sorted(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    if root / "lock" in inside:
        identity, ended = None, None
        with contextlib.suppress(OSError, msgspec.DecodeError):
            identity = read_identity(root)
        alive = host_lives(root)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            ended = read_exit(root)  # after the lock: a host writes exit.json before it ends
        yield FoundHost(root, identity, alive, ended)
        return
    for path in inside:
        if path.is_dir() and not path.is_symlink():
            yield from find_hosts(path)
