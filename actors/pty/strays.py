"""Ending the processes that a dead terminal host left behind.

They are found by the host's mark, which the environment of each contains, and by a limit that each
inherits (`family.mark_limits`), also with an empty environment. A pid or a session id proves
nothing, because the system may have given it to another process. Plain blocking functions, for any
thread.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from actors.host import family
from actors.platform.processes import KILL_PATIENCE, ps, resident_kb, wait_for_end
from actors.pty.records import mark_of

_VARIABLE = b"CALLBOARD_TERMINAL="


def session_members(sid: int) -> set[int]:
    """Return the pids in the session. Raise OSError if processes cannot be listed."""
    if family.LINUX:
        return {pid for pid, fields in family.living().items() if fields[3] == str(sid)}
    rows = (line.split() for line in ps("-ax", "-o", "pid=,sess=,pgid=").splitlines())
    return {int(row[0]) for row in rows if len(row) == 3 and str(sid) in row[1:]}


def marked(token: str) -> set[int]:
    """Return this user's pids that carry the marks of a terminal, in any session.

    The marks are CALLBOARD_TERMINAL in the environment, and on Linux a limit. Raise OSError if
    processes cannot be listed.
    """
    if not family.LINUX:
        mark = f"CALLBOARD_TERMINAL={mark_of(token)}"
        lines = ps("-axE", "-o", "pid=,command=").splitlines()
        return {int(line.split()[0]) for line in lines if f" {mark} " in f"{line} "}
    return {pid for pid in family.living() if _carries(pid, token)}


def alive(tokens: set[str]) -> set[str]:
    """Return those of `tokens` whose marks a living process carries, by one look at all processes.

    Raise OSError if processes cannot be listed.
    """
    if not family.LINUX:
        return {token for token in tokens if marked(token)}
    return {token for _, token in _carriers(tokens)}


def resident_mib(tokens: set[str]) -> int | None:
    """Return the resident memory of all processes that carry a mark of one of `tokens`, in MiB.

    Memory that several share counts for each. None is unknown: on systems other than Linux.
    """
    if not family.LINUX:
        return None
    return sum(resident_kb(pid) or 0 for pid, _ in _carriers(tokens)) // 1024


def _carriers(tokens: set[str]) -> Iterator[tuple[int, str]]:
    """Yield each process that carries the mark of one of `tokens`, with that. Linux only."""
    by_mark = {mark_of(token): token for token in tokens}
    by_limit = {family.limit_of(mark): token for mark, token in by_mark.items()}
    for pid in family.living():
        token = by_limit.get(family.limit_mark(pid)) or by_mark.get(_variable(pid))
        if token is not None:
            yield pid, token


def _carries(pid: int, token: str) -> bool:
    """Return whether a process carries a mark of a terminal. Linux only."""
    mark = mark_of(token)
    return family.limit_mark(pid) == family.limit_of(mark) or _variable(pid) == mark


def _variable(pid: int) -> str:
    """Return CALLBOARD_TERMINAL in the environment of a process; "" if there is none."""
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # another user's process, or one that has ended
        return ""
    values = [word for word in environ if word.startswith(_VARIABLE)]
    return values[0].removeprefix(_VARIABLE).decode("utf-8", "replace") if values else ""


def end_tree(token: str, sid: int, grace: float) -> int:
    """End what a dead host left: SIGTERM, then SIGKILL after `grace` seconds. Return how many stay.

    End the processes that carry the token's mark. If one of them is in session `sid`, end the whole
    session. Block for up to `grace` + `KILL_PATIENCE` seconds. Raise OSError if processes cannot be
    listed.
    """
    for signo, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, KILL_PATIENCE)):
        deadline = time.monotonic() + patience
        signalled: set[int] = set()
        while left := _tree(token, sid):
            fresh = left - signalled
            handles = [_signal(pid, signo, token, sid) for pid in fresh]
            signalled |= fresh
            wait_for_end(left, min(deadline, time.monotonic() + 0.2))
            for handle in handles:
                if handle is not None:
                    os.close(handle)
            if time.monotonic() >= deadline:
                break
        else:
            return 0
    return len(_tree(token, sid))


def _tree(token: str, sid: int) -> set[int]:
    ours = marked(token)
    session = session_members(sid)
    return (ours | session if ours & session else ours) - {os.getpid()}


def _signal(pid: int, signo: int, token: str, sid: int) -> int | None:
    """Signal `pid` if it still belongs to the tree. Return its pidfd, on systems that have them."""
    if sys.platform != "linux":
        with contextlib.suppress(OSError):
            os.kill(pid, signo)
        return None
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        # The pid may have been reused since the listing. It cannot be while the handle is open.
        if pid in _tree_of(pid, token, sid):
            signal.pidfd_send_signal(handle, signo)
            if signo == signal.SIGTERM:
                signal.pidfd_send_signal(handle, signal.SIGCONT)
    return handle


def _tree_of(pid: int, token: str, sid: int) -> set[int]:
    fields = family.stat(pid)
    if fields and fields[3] == str(sid):
        return {pid}
    return {pid} if _carries(pid, token) else set()
