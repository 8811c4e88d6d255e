"""What this machine has left: memory and disk. Unknown is None, and holds nothing up.

Plain functions that read a few small files, and a descriptor that tells when programs wait for
memory. For any thread.
"""

import os
import select
import shutil
import sys
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_MIB: Final = 1 << 20
_ALARM: Final = b"some 200000 2000000\0"
"""Within 2 s, which is what the kernel allows every user, some program waited for 0.2 s."""


def free_memory(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int | None:
    """Return the MiB of memory that programs can still take: of the machine, or of our cgroup."""
    known = [
        each
        for each in (_meminfo(proc, "MemAvailable"), _of_cgroup(proc, cgroups))
        if each is not None
    ]
    return min(known, default=None)


def whole_memory(proc: Path = _PROC) -> int | None:
    """Return the MiB of memory that the machine has."""
    return _meminfo(proc, "MemTotal")


def memory_pressure(proc: Path = _PROC) -> float | None:
    """Return the percentage of the last ten seconds in which everything waited for memory."""
    try:
        lines = (proc / "pressure" / "memory").read_text().splitlines()
        full = next(line for line in lines if line.startswith("full"))
        return float(full.split("avg10=")[1].split()[0])
    except (OSError, ValueError, IndexError, StopIteration):
        return None


class MemoryAlarm:
    """Readable whenever programs have to wait for memory, at most once in two seconds.

    The kernel tells it, so nothing is read while there is memory. Linux only. Raise `OSError` where
    the kernel does not tell it.
    """

    def __init__(self, proc: Path = _PROC) -> None:
        if sys.platform != "linux":
            raise OSError("only Linux tells that programs wait for memory")
        self._file = os.open(proc / "pressure" / "memory", os.O_RDWR | os.O_CLOEXEC)
        self._poll = select.epoll()  # the file itself is always readable: its alarm is EPOLLPRI
        try:
            os.write(self._file, _ALARM)
            self._poll.register(self._file, select.EPOLLPRI)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._poll.fileno()

    def close(self) -> None:
        """Close it. Stop watching it first."""
        self._poll.close()
        os.close(self._file)


def disk(path: Path) -> tuple[int, int] | None:
    """Return the MiB that are free to the user on a path's file system, and all that it has."""
    try:
        used = shutil.disk_usage(path)
        return used.free // _MIB, used.total // _MIB
    except OSError:
        return None


def disk_reserve(whole: int) -> int:
    """Return the MiB that stay free on a disk of `whole` MiB: 512, or a twentieth of it."""
    return min(512, whole // 20)


def _meminfo(proc: Path, name: str) -> int | None:
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        return next(int(each.split()[1]) // 1024 for each in lines if each.startswith(f"{name}:"))
    except (OSError, ValueError, StopIteration):
        return None


def _of_cgroup(proc: Path, cgroups: Path) -> int | None:
    """Return what the nearest limit leaves (cgroup version 2). Files that it holds can be freed."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
        own = next(each[3:] for each in lines if each.startswith("0::"))
    except (OSError, StopIteration):
        return None
    place, found = cgroups / own.strip("/"), []
    for directory in (place, *place.parents):
        if not directory.is_relative_to(cgroups):
            break
        try:
            most = (directory / "memory.max").read_text().strip()
            used = int((directory / "memory.current").read_text())
            stat = (directory / "memory.stat").read_text().splitlines()
            files = next(int(each.split()[1]) for each in stat if each.startswith("inactive_file "))
            found += [(int(most) - used + files) // _MIB] if most != "max" else []
        except (OSError, ValueError, StopIteration):
            continue
    return max(0, min(found)) if found else None
