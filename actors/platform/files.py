"""Read files that somebody else may have put there: regular ones, without blocking, bounded.

Every file of a repository or of its git directory is opened here. An agent may have put a FIFO, a
device or an endless file in its place, and the runtime must not wait for it.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

NAME: Final = 1 << 16
"""Bytes of a file that holds one name: more than any path or ref has."""
_PIECE: Final = 1 << 20
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_regular(path: Path | str, *, follow: bool = True) -> int:
    """Open a regular file for reading and return its descriptor.

    A FIFO, a device or a directory is refused with `OSError` (EINVAL) and does not block.
    `follow` takes a symbolic link.
    """
    return _open(path, follow)[0]


def _open(path: Path | str, follow: bool) -> tuple[int, os.stat_result]:
    fd = os.open(path, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return fd, found


def read_bounded(path: Path | str, limit: int, *, follow: bool = True) -> bytes:
    """Return the content of a regular file.

    Raise `OSError`: EFBIG if it has more than `limit` bytes; else as `open_regular`.
    """
    return read_open(path, limit, follow=follow)[0]


def read_open(path: Path | str, limit: int, *, follow: bool = True) -> tuple[bytes, int]:
    """Return the content of a regular file, and its mode. Raise as `read_bounded` does."""
    fd, found = _open(path, follow)
    parts, left = [], limit + 1
    # One more than the file has, to see its end. The files of /proc say that they have 0.
    piece = min(found.st_size + 1, _PIECE) if found.st_size else _PIECE
    try:
        while left > 0 and (part := os.read(fd, min(left, piece))):
            parts.append(part)
            left -= len(part)
            if len(part) <= found.st_size < piece:
                break
    finally:
        os.close(fd)
    if left <= 0:
        raise OSError(errno.EFBIG, f"more than {limit} bytes", str(path))
    return b"".join(parts), found.st_mode


def read_line(path: Path | str) -> str:
    """Return the text of a small file of git's: a ref, or a path, of any bytes but NUL.

    Raise as `read_bounded` does; EINVAL if there is a NUL, which no name holds.
    """
    text = os.fsdecode(read_bounded(path, NAME)).rstrip("\r\n")
    if "\0" in text:
        raise OSError(errno.EINVAL, "no name: it holds a NUL", str(path))
    return text
