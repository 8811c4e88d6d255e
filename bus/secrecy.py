"""Keep other programs of the same user from reading what this process holds in memory.

On Linux a process of the same user may read another's environment and memory through /proc, or
attach a debugger to it. The runtime and its workers have the user's whole environment, with keys,
and agents run as the same user. Root still may, and on other systems nothing is changed.
"""

import contextlib
import ctypes
import sys

_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4


def hide_memory() -> None:
    """Make this process unreadable to others until it executes another program.

    It leaves no core dump either. Its children are not hidden: they execute programs of their own.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_hidden() -> bool:
    """Return whether `hide_memory` has taken effect."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
