"""Where the sockets of a home are: a directory with a short path, recorded in the home.

A Unix socket's path holds about 100 bytes, so the sockets are not in the home itself. Their
directory is recorded in the file `sockets` of the home. It is not computed again, because the next
start may have another environment (after a logout, or from cron) while terminal hosts still listen
in the old directory.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

NAMES = ("requests", "feed")
"""The runtime's own sockets; those of terminal hosts stand beside them."""

LONGEST = 48
"""Longest path of a base directory, in bytes, that leaves room for the names below it."""


def socket_directory(home: Path) -> Path:
    """Return the home's directory for sockets, mode 0700; make it if it is missing.

    If the recorded directory cannot be made again, or others could enter it, make and record a new
    one. Raise `OSError` if none can be made.
    """
    place = recorded(home)
    if place is not None:
        with suppress(OSError):
            place.mkdir(mode=0o700, exist_ok=True)
            if _is_private(place):
                return place
    made = _made()
    _record(home, made)
    return made


def remove_sockets(directory: Path) -> None:
    """Remove the runtime's own sockets, and the directory if nothing else is in it."""
    for name in NAMES:
        if (directory / name).is_socket():  # the place is read from a file; nothing else is ours
            (directory / name).unlink(missing_ok=True)
    with suppress(OSError):
        directory.rmdir()


def recorded(home: Path) -> Path | None:
    """Return the directory recorded for this home; None in a copy, which gets its own."""
    try:
        text, _, whose = (home / "sockets").read_text().rstrip("\n").rpartition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return Path(text) if text.startswith("/") and whose == _identity(home) else None


def _record(home: Path, place: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = home / "sockets.tmp"
    draft.touch(mode=0o600)
    with draft.open("w") as file:
        file.write(f"{place}\n{_identity(home)}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(home / "sockets")


def _identity(home: Path) -> str:
    found = home.stat()
    return f"{found.st_dev:x}.{found.st_ino:x}"


def _is_private(directory: Path) -> bool:
    """Return whether it is a directory that only this user can enter, and not a link."""
    found = directory.lstat()
    own = not directory.is_symlink() and found.st_uid == os.getuid()
    return own and not found.st_mode & 0o077 and os.access(directory, os.W_OK)


def _made() -> Path:
    """Make a directory where the environment says, or else in `/tmp`."""
    prefix = f"callboard-{os.getuid()}-"
    for name in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()):
        if name and len(os.fsencode(name)) <= LONGEST:
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix=prefix, dir=name))
    return Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
