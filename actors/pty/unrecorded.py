"""Hosts whose files were deleted, with their home or without: found by their command line.

Linux only; elsewhere none is found.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from actors.host import family
from actors.platform import processes
from actors.pty.records import FoundHost, Identity
from actors.pty.spawn import HOST

END_SECONDS = 10.0
"""How long a host may take to end its program (SIGTERM, 5 s, SIGKILL) and itself."""


def find_hosts(place: Path) -> Iterator[FoundHost]:
    """Yield the living hosts that keep their files below `place`.

    Their records are not read: the identity holds the process only.
    """
    if not family.LINUX:
        return
    for pid in family.living():
        directory = _directory(pid)
        if directory is None or not directory.is_relative_to(place):
            continue
        identity = Identity(pid, processes.start_time(pid), 0, "", 0, "", "", 0.0)
        yield FoundHost(directory, identity, True, None)


def end_host(identity: Identity) -> bool:
    """End a host, which ends its program: SIGTERM, then SIGKILL. Return whether it has ended.

    Blocks for up to 10 s.
    """
    for signo, seconds in ((signal.SIGTERM, END_SECONDS), (signal.SIGKILL, 1.0)):
        deadline = time.monotonic() + seconds
        if processes.is_alive(identity.host_pid, identity.host_start) is False:
            return True
        os.kill(identity.host_pid, signo)
        while time.monotonic() < deadline:
            processes.wait_for_end({identity.host_pid}, deadline)
            if processes.is_alive(identity.host_pid, identity.host_start) is False:
                return True
    return False


def _directory(pid: int) -> Path | None:
    """Return where the host with this pid keeps its files; None if it is no host."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    if not any(word.endswith(os.fsencode(f"{HOST.parent.name}/{HOST.name}")) for word in words[:6]):
        return None
    if b"--dir" not in words[:-1]:
        return None
    return Path(os.fsdecode(words[words.index(b"--dir") + 1]))
