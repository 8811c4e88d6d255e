"""What the doctor mends by itself: only what loses nothing and what a start would mend too.

It makes the home private, removes what a dead runtime left in it, and ends the git commands that it
left running. A home that is served is only made private.
"""

import os
import stat
from pathlib import Path

from actors.platform.owners import abandoned, end_abandoned
from bus import connection, sockets
from bus.action import Action, Do
from bus.results import Finding

PRIVATE = ("callboard.db", "callboard.db-wal", "callboard.db-shm", "connection.json")
"""Files of the home that nobody else may read."""


def findings(home: Path) -> list[Finding]:
    """Return what `fix` would mend, each as a note with that step."""
    return [Finding(what, "note", actions=[Action(Do.FIX)]) for what in _faults(home)]


def fix(home: Path) -> list[str]:
    """Mend what can be mended safely, and return what was done. Raise `PermissionError`.

    Block for up to 4 s while git commands are ended.
    """
    faults = _faults(home)
    if not faults:
        return []
    connection.make_private(home)
    for file in _readable(home):
        file.chmod(0o600)
    lock = connection.hold(home)
    if lock is not None:
        try:
            end_abandoned(str(home))
            connection.remove(home)
            place = sockets.recorded(home)
            if place is not None:
                sockets.remove_sockets(place)
        finally:
            os.close(lock)
    left = _faults(home)
    return [f"mended: {what}" for what in faults if what not in left]


def _faults(home: Path) -> list[str]:
    if not home.is_dir():
        return []
    found = []
    if home.stat().st_mode & 0o077:
        found.append(f"others can enter {home}")
    found += [f"others can read {file}" for file in _readable(home)]
    if not connection.is_held(home):
        if (home / "connection.json").exists():
            found.append("connection.json was left by a runtime that has ended")
        place = sockets.recorded(home)
        if place is not None and any((place / name).is_socket() for name in sockets.NAMES):
            found.append(f"sockets in {place} were left by a runtime that has ended")
        left = abandoned(str(home))
        if left:
            found.append(f"{len(left)} processes were left by a runtime that has ended")
    return found


def _readable(home: Path) -> list[Path]:
    files = [home / name for name in PRIVATE]
    return [
        file
        for file in files
        if file.is_file() and not file.is_symlink() and stat.S_IMODE(file.stat().st_mode) & 0o077
    ]
