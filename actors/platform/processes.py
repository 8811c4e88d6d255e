"""Processes of this machine: whether one lives, waiting for its end, and ending a session.

A pid and a start time identify a process. A question that cannot be answered gets the answer
"unknown" (None), because a process that cannot be examined may live. Linux has /proc; macOS has
only `ps`, which shows less. Plain blocking functions, for any thread.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from actors.host import family

KILL_PATIENCE = 3.0
"""Seconds that a process may take to end after SIGKILL, for example while the disk is busy."""
_WORDS_BYTES = 1 << 16


def for_own_modules(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with which `python -m`, started in our directory, finds our modules.

    A user may have forbidden that to Python. What these processes start does not inherit from them.
    """
    return {**environment, "PYTHONSAFEPATH": ""}


def start_time(pid: int) -> str:
    """Return what tells this process from others that have its pid; "" if there is none."""
    if family.LINUX:
        return family.start_time(pid)
    return ps("-o", "lstart=", "-p", str(pid)).strip()


def command_lines() -> Iterator[tuple[int, bytes]]:
    """Yield the pid and the command line of every process, its words separated by NUL. Linux only.

    Zombies and processes of the kernel have none. All processes of the machine are read, so no file
    object is made.
    """
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            words = _command_line(name)
            if words:
                yield int(name), words


def _command_line(pid: str) -> bytes:
    try:
        file = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""  # it has ended
    try:
        parts = []
        while part := os.read(file, _WORDS_BYTES):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(file)


def resident_kb(pid: int) -> int | None:
    """Return the resident memory of a process in KiB; None if it has ended or is unknown."""
    try:
        if family.LINUX:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") // 1024
        return int(ps("-o", "rss=", "-p", str(pid)).strip() or 0) or None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def is_alive(pid: int, started: str) -> bool | None:
    """Whether the process with this start time runs. A zombie does not. None is unknown."""
    try:
        if not family.LINUX:
            now = start_time(pid)
            return bool(now) and (now == started if started else None)
        fields = family.stat(pid)
        if fields is None or fields[0] in "ZX":
            return False
        return family.start_time(pid) == started if started else None
    except (OSError, subprocess.SubprocessError):
        return None


def end_session(leader: int, grace: float) -> None:
    """End a child of ours that leads a session, its session, and all its descendants.

    Send SIGTERM, then SIGKILL after `grace` seconds. Block until the processes have ended, at most
    `grace` + `KILL_PATIENCE` seconds. The caller waits for the child itself (`wait`). Every look
    reads all processes of the machine, so there is none before those that are known have ended.
    """
    members = _family(leader)
    for signo, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, KILL_PATIENCE)):
        deadline = time.monotonic() + patience
        while members and time.monotonic() < deadline:
            for member in members:
                family.send(member, signo)
            members = _wait_for_all(members, deadline) or _family(leader)


def _wait_for_all(members: set[family.Member], deadline: float) -> set[family.Member]:
    """Wait until all of them have ended, or until `deadline`. Return those that have not."""
    while (left := {each for each in members if _runs(*each)}) and time.monotonic() < deadline:
        wait_for_end({pid for pid, _ in left}, deadline)
    return left


def wait_for_end(pids: set[int], deadline: float) -> None:
    """Wait until one of the processes has ended, or until `deadline` (monotonic seconds)."""
    patience = max(0.0, deadline - time.monotonic())
    if sys.platform != "linux":
        time.sleep(min(patience, 0.05))  # macOS has no pidfd
        return
    handles = []
    try:
        for pid in pids:
            handles.append(os.pidfd_open(pid))
        poll = select.poll()
        for handle in handles:
            poll.register(handle, select.POLLIN)
        poll.poll(patience * 1000)
    except OSError:
        return  # one has ended already
    finally:
        for handle in handles:
            os.close(handle)


def ps(*words: str) -> str:
    """Return the output of `ps`; "" if it finds no process.

    Raise OSError or subprocess.SubprocessError if `ps` fails.
    """
    done = subprocess.run(["ps", *words], capture_output=True, text=True, timeout=10)
    if done.returncode not in (0, 1):
        raise OSError(f"ps {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _family(leader: int) -> set[family.Member]:
    """Return the leader, the members of its session and its descendants, without zombies.

    The leader's pid is its own until it is waited for, so it may be a zombie here.
    """
    fields = family.stat(leader)
    own = {(leader, fields[19])} if fields and fields[0] not in "ZX" else set()
    return own | family.members(leader, leader)


def _runs(pid: int, ticks: str) -> bool:
    if not family.LINUX:
        return bool(family.members(pid, pid))
    fields = family.stat(pid)
    return fields is not None and fields[0] not in "ZX" and fields[19] == ticks
