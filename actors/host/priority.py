# ruff: noqa: SIM105
# contextlib would cost the host a megabyte.
"""The priority of a program that writes without a pause. Standard library only.

Twenty such programs and their hosts are forty processes that always want a processor, and the
runtime would wait its turn behind each of them.
"""

import os

FLOOD = 64 << 10
"""Bytes a second from which on a program counts as one that writes without a pause."""
SECONDS = 3
"""So many seconds in a row it must have done so."""
STEP = 10
"""What is added to the nice value then. With 10 the kernel gives a tenth of the weight."""


class Flood:
    """Tells once that a program has written without a pause. `begun` is the time it started."""

    def __init__(self, begun: float) -> None:
        self._since = begun
        self._size = 0
        self._count = 0

    def wrote(self, size: int, now: float) -> bool:
        """Count output of now, in monotonic seconds. Return True when it is too much, once."""
        self._size += size
        if now - self._since < 1.0:
            return False
        floods = self._size >= FLOOD * (now - self._since)
        self._count = self._count + 1 if floods else 0
        self._since, self._size = now, 0
        return self._count == SECONDS


class Lowering:
    """Lowers the priority of this process, and that of `pids` with their groups and sessions.

    Children inherit it, and it stays: the kernel lets no user raise a priority again. Linux also
    weighs sessions against each other (autogroups), without a look at the nice values in them, and
    takes few changes a second: call `go_on` again and again.
    """

    def __init__(self, pids: "list[int]") -> None:
        self._nice = os.nice(STEP)
        groups, sessions = set(), {os.getsid(0)}
        for pid in pids:
            try:
                groups.add(os.getpgid(pid))
                sessions.add(os.getsid(pid))
            except OSError:
                pass  # it has ended
        for group in groups:
            try:
                os.setpriority(os.PRIO_PGRP, group, self._nice)
            except OSError:
                pass  # it has ended, or is another user's
        self._left = list(sessions)
        self.go_on()

    def go_on(self) -> None:
        """Lower the sessions that are left, as far as the kernel takes it now."""
        while self._left and _is_done(self._left[0], self._nice):
            del self._left[0]


def _is_done(session: int, nice: int) -> bool:
    """Lower the autogroup of a session. Return False if the kernel wants to be asked again."""
    try:
        file = os.open(f"/proc/{session}/autogroup", os.O_WRONLY)
    except OSError:
        return True  # it has ended, or this system has no autogroups
    try:
        os.write(file, b"%d" % nice)
    except BlockingIOError:
        return False
    except OSError:
        pass  # this user may not
    finally:
        os.close(file)
    return True
