"""The C library's allocator."""

import ctypes

_ARENAS = 2
_M_ARENA_MAX, _M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -8, -1, -3  # of glibc's `malloc.h`
_LARGEST = 32 << 20
"""The most that glibc takes for what is not given back to the system at once."""


def keep_together() -> None:
    """Have all threads of this process share two arenas (glibc). Call it before they start.

    glibc gives each thread an arena of its own, up to eight a core. What is freed in one is not
    used by another: beside dozens of threads a terminal that has ended costs half as much again.
    Other C libraries have no such setting.
    """
    _set(_M_ARENA_MAX, _ARENAS)


def keep_freed(most: int) -> None:
    """Keep so many bytes that were freed for what comes next (glibc).

    glibc gives a freed megabyte back to the system, which clears each page of the next one anew.
    """
    _set(_M_MMAP_THRESHOLD, min(most, _LARGEST))
    _set(_M_TRIM_THRESHOLD, most)


def _set(option: int, value: int) -> None:
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(option, value)
