# ruff: noqa: PTH208
# pathlib and contextlib would cost the host a megabyte.
"""The processes of one terminal: who they are, and signals that reach only them.

Standard library only: the host uses it on its own program, the runtime on what a dead host left.
A process is named by (pid, start time), because a pid alone may be somebody else's tomorrow.
Linux reads /proc; on macOS the start time is "" here and a family is a process group.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without its enums, which cost 0.8 MB

LINUX = sys.platform == "linux"
Member = tuple[int, str]


def stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third on (state, ppid, pgrp, session, ...), or None.

    None means there is no such process; OSError that it could not be found out.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(b")") + 2 :].decode("ascii", "replace").split()


def start_time(pid: int) -> str:
    """BOOT-ID:TICKS, the same as long as pid means the same process; "" if unknown."""
    if not LINUX:
        return ""
    fields = stat(pid)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return f"{file.read().strip()}:{fields[19]}" if fields else ""


def living() -> dict[int, list[str]]:
    """stat of every process that is not a zombie. Linux."""
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


def members(sid: int, ancestor: int) -> set[Member]:
    """(pid, ticks) of those in session sid or descending from ancestor, which is not of them.

    On macOS (sid, "") when the process group sid still has a member.
    """
    if not LINUX:
        try:
            os.killpg(sid, 0)
        except (ProcessLookupError, PermissionError):  # gone, or only zombies are left
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
    """The signal to this process, or to nobody if it is gone. TERM also wakes the stopped."""
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
    """Makes orphaned descendants children of this process (Linux). False where it cannot be."""
    if not LINUX:
        return False
    try:
        import ctypes  # 0.4 MB; only here

        set_child_subreaper = 36
        return bool(ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False
