"""The limit of open files of this process: raise it, and refuse what would reach it.

At the limit everything fails at once: SQLite, git, a new process; and libzmq aborts the process
when it cannot accept a client. So a part of the limit is kept for what is not foreseen.
"""

import errno
import os
import resource
from pathlib import Path

WANTED = 8192
"""What the runtime asks for: a terminal needs one, a repository's watch one, a client two.
No more than this, for every program inherits it."""

LEAST = 96
"""The runtime itself has about fifty; with fewer than these no client would be let in."""

RESERVE = 128
"""Descriptors kept free of terminals and clients, where the limit is high enough."""

CLIENTS = 32
"""Places that terminals leave to clients, where the limit is high enough."""


def raise_limit() -> None:
    """Raise the soft limit to `WANTED`, or as far as the hard one allows.

    Raise `OSError` if that is less than `LEAST`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if limit() < LEAST:
        raise OSError(f"{limit()} open files are too few for the runtime: ulimit -n {WANTED // 8}")


def limit() -> int:
    """Descriptors that this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft


def reserve() -> int:
    """How many of them are kept free: a quarter at most."""
    return min(RESERVE, limit() // 4)


def room() -> int:
    """How many more terminals and clients there is room for; negative beyond the reserve."""
    return limit() - reserve() - _open()


def require_room() -> None:
    """Raise `OSError` (EMFILE) if another terminal would take descriptors that are kept free."""
    if room() <= min(CLIENTS, limit() // 8):
        raise OSError(
            errno.EMFILE,
            f"the runtime may have {limit()} open files and has {_open()}, and keeps {reserve()} "
            "free: end some terminals, or start the runtime with a higher limit (ulimit -n)",
        )


def _open() -> int:
    for place in ("/proc/self/fd", "/dev/fd"):
        try:
            return sum(1 for _ in Path(place).iterdir())
        except OSError:
            continue
    return sum(_is_open(fd) for fd in range(min(limit(), WANTED)))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
