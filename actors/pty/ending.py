"""Ending every program of a home, also those that no row in the database names."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from actors.pty import recall, records, strays, unrecorded
from actors.pty.console import connect
from actors.pty.events import Ended

GRACE_MS = 5_000


def running_hosts(home: Path) -> list[records.FoundHost]:
    """Return every host of the home that runs or may run, also if its files were deleted."""
    return hosts_below(home / "terminals")


def hosts_below(place: Path) -> list[records.FoundHost]:
    """Return the hosts with records below `place`, and those whose records were deleted.

    Two hosts may name one directory: that of a deleted home, and one of the home made after it. A
    host that has recorded the end of its program ends too, and does not count.
    """
    known = list(records.find_hosts(place))
    recorded = [f for f in known if f.exit is None and f.alive is not False]
    starting = {found.directory for found in recorded if found.identity is None}
    pids = {
        found.identity.host_pid
        for found in known
        if found.identity is not None
        and (found.exit is None or found.exit.token == found.identity.token)
    }
    return recorded + [
        found
        for found in unrecorded.find_hosts(place)
        if found.directory not in starting
        and found.identity is not None
        and found.identity.host_pid not in pids
    ]


def end_recorded(place: Path) -> list[Path]:
    """End every program whose host keeps its files below `place`, and all it started.

    Send SIGTERM to all, SIGKILL after one grace period for all, and wait for them. Return the
    directories of the hosts whose programs could not be ended.
    """
    recorded = [f for f in records.find_hosts(place) if f.exit is None and f.alive is not False]
    return _end_hosts(recorded)


def end_all_terminals(home: Path) -> list[Path]:
    """End every program of a home as `end_recorded` does, also where its files were deleted.

    End also what the programs of dead hosts have started and left. This looks at every process of
    the machine.
    """
    place = home / "terminals"
    return _end_hosts(hosts_below(place)) + _end_hosts(_dead_with_strays(place))


def _dead_with_strays(place: Path) -> list[records.FoundHost]:
    """Return the hosts that were killed, and of whose processes some live."""
    dead = {
        found.identity.token: found
        for found in records.find_hosts(place)
        if found.exit is None and found.alive is False and found.identity is not None
    }
    return [dead[token] for token in strays.alive(set(dead))] if dead else []


def _end_hosts(hosts: list[records.FoundHost]) -> list[Path]:
    if not hosts:
        return []
    with ThreadPoolExecutor(max_workers=len(hosts)) as each:  # the threads only wait
        ended = list(each.map(_end, hosts))
    return [host.directory for host, over in zip(hosts, ended, strict=True) if not over]


def _end(found: records.FoundHost) -> bool:
    identity = found.identity
    if identity is None:
        return False
    if not identity.token:
        return unrecorded.end_host(identity)
    recall.wake(found.directory)
    try:
        console, _ = connect(identity.socket, identity.token, 2.0)
    except OSError:
        over = strays.end_tree(identity.token, identity.program_pid, GRACE_MS / 1000) == 0
        recall.remove_socket(identity)
        return over
    with console:
        console.link.end(GRACE_MS)
        try:
            console.next(Ended, GRACE_MS / 1000 + 5)
        except (TimeoutError, ConnectionError):
            return records.read_exit(found.directory) is not None
    return True
