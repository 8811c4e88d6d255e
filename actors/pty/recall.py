"""Have a host listen again whose socket was removed, and go on after somebody has stopped it."""

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

import msgspec

from actors.platform import processes
from actors.pty import records

log = logging.getLogger("callboard.pty")


def recall(directory: Path, socket: Path) -> bool:
    """Ask the host with these files to listen at `socket`. Return whether it was asked.

    The host reads the path from the file `socket` when it gets SIGHUP, and writes it into
    host.json when it listens. A host of an older version ignores the signal.
    """
    try:
        identity = records.read_identity(directory)
    except (OSError, msgspec.DecodeError):
        return False
    if identity is None or not processes.is_alive(identity.host_pid, identity.host_start):
        return False
    try:
        draft = directory / "socket.tmp"
        draft.write_text(str(socket))
        draft.replace(directory / "socket")
        os.kill(identity.host_pid, signal.SIGHUP)
    except OSError as error:
        log.warning("%s: the host cannot be asked to listen again: %s", directory, error)
        return False
    return True


def wake(directory: Path) -> None:
    """Continue a host that somebody has stopped (SIGSTOP): it could not end its program."""
    with suppress(OSError, msgspec.DecodeError):
        identity = records.read_identity(directory)
        if identity is not None and processes.is_alive(identity.host_pid, identity.host_start):
            os.kill(identity.host_pid, signal.SIGCONT)


def recall_all(home: Path, sockets: Path) -> None:
    """Recall every host of a home whose socket is missing, each to its name in `sockets`."""
    for found in records.find_hosts(home / "terminals"):
        if found.alive and found.identity is not None and not Path(found.identity.socket).exists():
            recall(found.directory, sockets / Path(found.identity.socket).name)


def remove_socket(identity: records.Identity) -> None:
    """Remove the socket of a host that was killed."""
    if processes.is_alive(identity.host_pid, identity.host_start) is False:
        Path(identity.socket).unlink(missing_ok=True)
