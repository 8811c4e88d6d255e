"""The C library's allocator."""

import ctypes

_ARENAS = 2
_M_ARENA_MAX = -8  # of glibc's `malloc.h`


def keep_together() -> None:
    """Have all threads of this process share two arenas (glibc). Call it before they start.

    glibc gives each thread an arena of its own, up to eight a core. What is freed in one is not
    used by another: beside dozens of threads a terminal that has ended costs half as much again.
    Other C libraries have no such setting.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
