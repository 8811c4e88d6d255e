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

_HOST = os.fsencode(f"{HOST.parent.name}/{HOST.name}")

END_SECONDS = 10.0
"""How long a host may take to end its program (SIGTERM, 5 s, SIGKILL) and itself."""


def find_hosts(place: Path) -> Iterator[FoundHost]:
    """Yield the living hosts that keep their files below `place`.

    Their records are not read: the identity holds the process only.
    """
    if not family.LINUX:
        return
    for pid, line in processes.command_lines():
        directory = _directory(line)
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


def _directory(command_line: bytes) -> Path | None:
    """Return where the host with this command line keeps its files; None if it is no host."""
    if _HOST not in command_line:
        return None
    words = command_line.split(b"\0")
    if not any(word.endswith(_HOST) for word in words[:6]) or b"--dir" not in words[:-1]:
        return None
    return Path(os.fsdecode(words[words.index(b"--dir") + 1]))
