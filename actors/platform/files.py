"""Read files that somebody else may have put there: regular ones, without blocking, bounded."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_regular(path: Path | str, *, follow: bool = True) -> int:
    """Open a regular file for reading and return its descriptor.

    A FIFO, a device or a directory is refused with `OSError` (EINVAL) and does not block.
    `follow` takes a symbolic link.
    """
    fd = os.open(path, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return fd


def read_bounded(path: Path | str, limit: int, *, follow: bool = True) -> bytes:
    """Return the content of a regular file.

    Raise `OSError`: EFBIG if it has more than `limit` bytes; else as `open_regular`.
    """
    fd = open_regular(path, follow=follow)
    with os.fdopen(fd, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"more than {limit} bytes", str(path))
    return data
