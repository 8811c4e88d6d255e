"""Ending every program of a home: `down --terminals`. Also what no row knows any more."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from actors.platform import processes
from actors.pty.link import Ended, connect

GRACE_MS = 5_000


def running_hosts(home: Path) -> list[processes.Found]:
    """Every host of the home that is alive, or may be."""
    return _hosts_below(home / "terminals")


def _hosts_below(place: Path) -> list[processes.Found]:
    return [f for f in processes.find_hosts(place) if f.exit is None and f.alive is not False]


def end_all(place: Path) -> list[Path]:
    """TERM to every program whose host keeps its files below `place`, and to all it started; KILL
    after one grace for all, and wait for them. Returns the directories of those that could not
    be ended."""
    hosts = _hosts_below(place)
    if not hosts:
        return []
    with ThreadPoolExecutor(max_workers=len(hosts)) as each:  # they only wait
        ended = list(each.map(_end, hosts))
    return [host.directory for host, over in zip(hosts, ended, strict=True) if not over]


def end_all_terminals(home: Path) -> list[Path]:
    """`end_all` for a whole home."""
    return end_all(home / "terminals")


def _end(found: processes.Found) -> bool:
    identity = found.identity
    if identity is None:
        return False
    try:
        console, _ = connect(identity.socket, identity.token, 2.0)
    except OSError:
        return processes.end_tree(identity.token, identity.program_pid, GRACE_MS / 1000) == 0
    with console:
        console.link.end(GRACE_MS)
        try:
            console.next(Ended, GRACE_MS / 1000 + 5)
        except (TimeoutError, ConnectionError):
            return processes.read_exit(found.directory) is not None
    return True
