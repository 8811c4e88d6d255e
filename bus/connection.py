"""The home and its connection file: how a client finds the runtime.

`connection.json` (0600) exists while a runtime serves. A runtime that was killed leaves its file
behind. Such a file is recognised by the lock on the home, which the kernel releases when its holder
ends.
"""

import fcntl
import os
import time
from pathlib import Path

import msgspec

from bus.user import expanded

VERSION = 1
LEFT_SECONDS = 10.0
"""How long the lock of a process that has ended may be left to a child of its."""


class TcpPlace(msgspec.Struct, frozen=True):
    """Where the TCP door is: its endpoints, and its public keys, by which clients know it."""

    requests: str
    feed: str
    server_requests: str
    server_feed: str


class Connection(msgspec.Struct, omit_defaults=True):
    """Where to connect: ZeroMQ endpoints, and the token for the doors that require one.

    `http` is the web door's address, "" if that door is closed; `tcp` is the TCP door's, or None.
    """

    version: int
    pid: int
    requests: str
    feed: str
    token: str
    http: str = ""
    tcp: TcpPlace | None = None


_decode = msgspec.json.Decoder(Connection).decode


class NoRuntime(Exception):
    """No runtime serves this home."""

    def __init__(self, home: Path, why: str = "") -> None:
        super().__init__(f"no runtime serves {home}" + (f": {why}" if why else ""))


def home_from(option: str | None) -> Path:
    """Return the absolute path of the home, which need not exist.

    It is `--home`, else `$CALLBOARD_HOME`, else `$XDG_STATE_HOME/callboard`, else
    `~/.local/state/callboard`. Raise `NoHomeDirectory`.
    """
    if option or (option := os.environ.get("CALLBOARD_HOME")):
        return expanded(option).resolve()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return expanded(state).resolve() / "callboard"


def make_private(home: Path) -> None:
    """Create the home with mode 0700, or take other users' access to it away.

    Raise `PermissionError` if the home, or a file in it that the runtime would trust, belongs to
    another user, and `OSError` if the home cannot be made.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = "it is no directory" if isinstance(error, FileExistsError) else error.strerror
        raise OSError(
            error.errno,
            f"the home cannot be made: {why}; name another directory with --home",
            str(home),
        ) from error
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
    """Write the connection file atomically, readable by the owner alone."""
    path = home / "connection.json"
    draft = path.with_suffix(".tmp")
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.encode(connection))
    draft.replace(path)


def remove(home: Path) -> None:
    """Remove the connection file, if there is one."""
    (home / "connection.json").unlink(missing_ok=True)


def read(home: Path) -> Connection:
    """Return the connection of the runtime that serves. Raise `NoRuntime` if none does."""
    path = home / "connection.json"
    try:
        connection = _decode(path.read_bytes())
    except FileNotFoundError:
        raise NoRuntime(home) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise NoRuntime(home, f"connection.json cannot be read ({error})") from error
    # A runtime that starts holds the home before it removes what a killed one has left.
    if not is_held(home) or holder(home) != str(connection.pid):
        raise NoRuntime(home, f"connection.json was left by process {connection.pid}")
    return connection


def hold(home: Path, name: str = "lock") -> int | None:
    """Take the exclusive lock on a home, or another one of its locks.

    Return it as an open file descriptor, or None if another process holds the lock. The lock ends
    with the process, however that ends. A child that it has just forked has the lock, too, until it
    executes its program: on a busy machine that is a second after its parent was killed. So wait
    while the holder has ended, for `LEFT_SECONDS`.
    """
    fd = os.open(home / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LEFT_SECONDS
    while not _try(fd, fcntl.LOCK_EX):
        if _try(fd, fcntl.LOCK_SH):
            # Only callers of `is_held` hold the lock, shared and for a moment: try again.
            fcntl.flock(fd, fcntl.LOCK_UN)
        elif time.monotonic() < deadline and _has_ended(holder(home, name)):
            time.sleep(0.01)  # flock without LOCK_NB would wait without limit
        else:
            os.close(fd)
            return None
    try:
        os.truncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
    except OSError as error:
        os.close(fd)
        error.filename = str(home / name)
        raise
    return fd


def holder(home: Path, name: str = "lock") -> str:
    """Return the pid of the process that holds the home, or another one of its locks.

    It is `unknown` while a process that has just taken the lock has not written it yet.
    """
    try:
        return (home / name).read_text().strip() or "unknown"
    except OSError:
        return "unknown"


def _has_ended(pid: str) -> bool:
    """Return whether there is no process of this pid; of one that is unknown, nothing is said."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (ValueError, PermissionError):
        pass
    return False


def is_held(home: Path, name: str = "lock") -> bool:
    """Return whether a process holds the home, or another one of its locks."""
    try:
        fd = os.open(home / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _try(fd: int, kind: int) -> bool:
    """Take the lock without waiting; return whether it was free."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
