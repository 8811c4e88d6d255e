# ruff: noqa: PTH208
# pathlib and contextlib would cost the host a megabyte.
"""The processes of one terminal, and signals that reach only them. Standard library only.

The host uses this for its own program, the runtime for the processes that a dead host left. A pid
and a start time identify a process, because the system reuses pids. Linux has /proc. On macOS the
start time is "" here, and the processes of a terminal are those of a process group.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without its enums, which cost 0.8 MB

LINUX = sys.platform == "linux"
_STAT_BYTES = 4096
"""More than the 52 numbers and the name in /proc/PID/stat take; read at once, without a buffer."""
Member = tuple[int, str]  # pid, start time in ticks since the boot


def stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the third on (state, ppid, pgrp, session, ...).

    Return None if there is no such process. Raise OSError if that is unknown.
    """
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(file, _STAT_BYTES)
        finally:
            os.close(file)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(b")") + 2 :].decode("ascii", "replace").split()


def start_time(pid: int) -> str:
    """Return BOOT-ID:TICKS, which identifies the process that has the pid now; "" if unknown."""
    if not LINUX:
        return ""
    fields = stat(pid)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return f"{file.read().strip()}:{fields[19]}" if fields else ""


def living() -> dict[int, list[str]]:
    """Return `stat` of every process that is not a zombie, by pid. Linux only."""
    seen = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = stat(int(name))
            except OSError:
                continue
            if fields and fields[0] not in "ZX":
                seen[int(name)] = fields
    return seen


_REALTIME = 15  # RLIMIT_RTTIME: microseconds that a real-time process may compute without a pause
_FAR = 1 << 62  # 146,000 years: no process is ever ended by such a limit


def limit_of(mark: str) -> int:
    """Return the soft limit RLIMIT_RTTIME that marks the processes of one terminal."""
    number = 14695981039346656037  # FNV-1a
    for byte in mark.encode():
        number = (number ^ byte) * 1099511628211 & 0xFFFF_FFFF_FFFF_FFFF
    return _FAR | number & 0xFF_FFFF_FFFF_FFFF


def mark_limits(mark: str) -> None:
    """Mark this process, and all that it will start, by a limit.

    Every process inherits it, also one with another session and an empty environment. Nothing is
    done if the system has no such limit, or a lower one.
    """
    try:
        import resource  # only in the child that becomes the program

        hard = resource.getrlimit(_REALTIME)[1]
        resource.setrlimit(_REALTIME, (limit_of(mark), hard))
    except (ImportError, OSError, ValueError):
        pass


def limit_mark(pid: int) -> int:
    """Return the soft limit RLIMIT_RTTIME of a process; 0 if there is none. Linux only."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return 0
    for line in lines:
        words = line.split()
        if words[:3] == [b"Max", b"realtime", b"timeout"] and words[3].isdigit():
            return int(words[3])
    return 0


def members(sid: int, ancestor: int) -> set[Member]:
    """Return the processes in session `sid` and the descendants of `ancestor`, without `ancestor`.

    On macOS return {(sid, "")} while the process group `sid` has a member.
    """
    if not LINUX:
        try:
            os.killpg(sid, 0)
        except (ProcessLookupError, PermissionError):  # it has ended, or only zombies are left
            return set()
        return {(sid, "")}
    seen = living()
    found = set()
    for pid, fields in seen.items():
        above = pid
        while above != ancestor and above in seen:
            above = int(seen[above][1])
        if pid != ancestor and (above == ancestor or fields[3] == str(sid)):
            found.add((pid, fields[19]))
    return found


def send(member: Member, signo: int) -> None:
    """Send a signal to the process, unless it has ended. SIGTERM also continues a stopped one."""
    pid, ticks = member
    handle = -1
    try:
        if sys.platform != "linux":
            os.killpg(pid, signo)
            return
        handle = os.pidfd_open(pid)
        fields = stat(pid)
        if fields and fields[19] == ticks:
            signal.pidfd_send_signal(handle, signo)
            if signo == signal.SIGTERM:
                signal.pidfd_send_signal(handle, signal.SIGCONT)
    except OSError:
        pass
    finally:
        if handle >= 0:
            os.close(handle)


def adopt_orphans() -> bool:
    """Make orphaned descendants children of this process. Return False if the system cannot."""
    if not LINUX:
        return False
    try:
        import ctypes  # 0.4 MB; only here

        set_child_subreaper = 36
        return bool(ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False
