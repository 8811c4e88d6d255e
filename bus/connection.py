"""The home and its connection file: how a client finds the runtime.

`connection.json` (0600) is there while a runtime serves. A left-over one, of a runtime
that was killed, is recognised by the lock on the home, which dies with its holder.
"""

import fcntl
import os
from pathlib import Path

import msgspec

from bus.user import expanded

VERSION = 1


class Connection(msgspec.Struct, omit_defaults=True):
    """Where to connect: ZeroMQ endpoints, and the token of the doors that want one.

    `http` is the web door's address, "" where it is closed.
    """

    version: int
    pid: int
    requests: str
    feed: str
    token: str
    http: str = ""


class WebDoor(msgspec.Struct, frozen=True):
    """What the web door's process is told when it is started: where the runtime is, the token
    it wants, the values of `Host` that name it, and the files of TLS ("" for none).
    """

    requests: str
    feed: str
    token: str
    hosts: tuple[str, ...]
    certificate: str = ""
    key: str = ""


_decode = msgspec.json.Decoder(Connection).decode


class NoRuntime(Exception):
    """No runtime serves this home."""

    def __init__(self, home: Path, why: str = "") -> None:
        super().__init__(f"no runtime serves {home}" + (f": {why}" if why else ""))


def home_from(option: str | None) -> Path:
    """`--home`, else `$CALLBOARD_HOME`, else `$XDG_STATE_HOME/callboard`, else
    `~/.local/state/callboard`. Absolute; it need not exist. Raises `NoHomeDirectory`.
    """
    if option or (option := os.environ.get("CALLBOARD_HOME")):
        return expanded(option).resolve()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return expanded(state).resolve() / "callboard"


def make_private(home: Path) -> None:
    """Make the home, or close one that is open to others.

    Raise `PermissionError` where it, or anything that the runtime would believe in it, belongs to
    another user.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    was_open = home.stat().st_mode & 0o077
    places = [home]
    if was_open:
        places += [*home.iterdir(), *(home / "terminals").rglob("*")]
    for place in places:
        owner = place.lstat().st_uid
        if owner != os.getuid():
            raise PermissionError(
                f"{place} belongs to user {owner}; a home must be yours alone. Remove it, or use "
                "another home"
            )
    if was_open:
        home.chmod(0o700)


def write(home: Path, connection: Connection) -> None:
    """Atomic, readable by the owner alone."""
    path = home / "connection.json"
    draft = path.with_suffix(".tmp")
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.encode(connection))
    draft.replace(path)


def remove(home: Path) -> None:
    (home / "connection.json").unlink(missing_ok=True)


def read(home: Path) -> Connection:
    """Raises `NoRuntime` where none serves."""
    path = home / "connection.json"
    try:
        connection = _decode(path.read_bytes())
    except FileNotFoundError:
        raise NoRuntime(home) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise NoRuntime(home, f"connection.json cannot be read ({error})") from error
    if not is_held(home):
        raise NoRuntime(home, f"connection.json was left by process {connection.pid}")
    return connection


def hold(home: Path) -> int | None:
    """The exclusive lock on a home, as an open file descriptor, or None where another
    process holds it. It ends with the process, however that ends.
    """
    fd = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while not _try(fd, fcntl.LOCK_EX):
        if not _try(fd, fcntl.LOCK_SH):
            os.close(fd)
            return None
        # Only those who ask `is_held` hold it, and they let go at once.
        fcntl.flock(fd, fcntl.LOCK_UN)
    os.truncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd


def holder(home: Path) -> str:
    """The pid of the process that holds the home, for messages."""
    try:
        return (home / "lock").read_text().strip() or "unknown"
    except OSError:
        return "unknown"


def is_held(home: Path) -> bool:
    try:
        fd = os.open(home / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _try(fd: int, kind: int) -> bool:
    """Take the lock if it can be had now."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
