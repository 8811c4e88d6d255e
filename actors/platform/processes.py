"""Whether the processes of a terminal live, and how to end those whose host is gone.

A process is proved by its pid and its start time. Every question can be answered "unknown":
what could not be looked at is not dead. Linux reads /proc; macOS asks `ps`, which shows less, so
the lock that a living host holds is the proof there. Plain blocking functions, for any thread.
"""

import contextlib
import fcntl
import functools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from actors.host import family

KILL_PATIENCE = 3.0
"""Seconds that a killed process may take to be gone: one in the middle of a disk's work, say."""


class Exit(msgspec.Struct, frozen=True):
    """How a terminal's program ended; what exit.json says."""

    kind: str  # "exited", "signaled" or "exec_failed"
    status: int  # exit code, signal number or errno
    at: float  # Unix seconds
    offset: int  # end of the output
    leftovers: int  # processes that outlived the program and were ended
    survivors: int  # those that even SIGKILL did not end
    told: bool = False  # to end, before it did by itself: its status says nothing of its work
    clock: float = 0.0  # as `Identity.started`, without what the host was stopped; 0: unknown


class Identity(msgspec.Struct, frozen=True):
    """Who hosts a terminal and who runs in it; what host.json says."""

    host_pid: int
    host_start: str
    program_pid: int
    program_start: str
    incarnation: int
    token: str
    socket: str
    started_at: float  # Unix seconds, for people
    started: float = 0.0  # on `bus.clock.awake`; 0: a host of an older Callboard


decode_exit = msgspec.json.Decoder(Exit).decode
_identity = msgspec.json.Decoder(Identity).decode


class Found(msgspec.Struct, frozen=True):
    """One host's directory. Without identity the host has not yet, or never, come so far."""

    directory: Path
    identity: Identity | None
    alive: bool | None  # the host; None is unknown
    exit: Exit | None


def start_time(pid: int) -> str:
    """What distinguishes this process from an earlier or later one with its pid; "" if none."""
    if family.LINUX:
        return family.start_time(pid)
    return _ps("-o", "lstart=", "-p", str(pid)).strip()


def resident_kb(pid: int) -> int | None:
    """Resident memory of a process in KiB; None when it is gone or cannot be asked."""
    try:
        if family.LINUX:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") // 1024
        return int(_ps("-o", "rss=", "-p", str(pid)).strip() or 0) or None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def is_alive(pid: int, started: str) -> bool | None:
    """Whether this very process runs; a zombie does not. None when that cannot be found out."""
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


def is_stopped(identity: Identity | None) -> bool | None:
    """Whether the program is stopped, as SIGSTOP does it. None when that cannot be found out."""
    if identity is None or not family.LINUX:
        return None
    try:
        fields = family.stat(identity.program_pid)
    except OSError:
        return None
    return None if fields is None else fields[0] in "Tt"


def session_members(sid: int) -> set[int]:
    """Pids in the session. Raises OSError when they cannot be listed."""
    if family.LINUX:
        return {pid for pid, fields in family.living().items() if fields[3] == str(sid)}
    rows = (line.split() for line in _ps("-ax", "-o", "pid=,sess=,pgid=").splitlines())
    return {int(row[0]) for row in rows if len(row) == 3 and str(sid) in row[1:]}


def marked(token: str) -> set[int]:
    """Pids of this user that carry CALLBOARD_TERMINAL=token, whatever session they are in."""
    mark = f"CALLBOARD_TERMINAL={token}"
    if not family.LINUX:
        lines = _ps("-axE", "-o", "pid=,command=").splitlines()
        return {int(line.split()[0]) for line in lines if f" {mark} " in f"{line} "}
    found = set()
    for pid in family.living():
        with contextlib.suppress(OSError):  # another user's, or gone
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def end_tree(token: str, sid: int, grace: float) -> int:
    """Ends what a dead host left behind: TERM, after grace seconds KILL. Blocks for that long.

    Those are the processes that carry the token and, if any of them is in session sid, that
    whole session; the number alone proves nothing, it may have been given away again. Returns
    how many are left, 0 if all is well. Raises OSError when processes cannot be listed.
    """
    for signo, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, KILL_PATIENCE)):
        deadline = time.monotonic() + patience
        signalled: set[int] = set()
        while left := _tree(token, sid):
            fresh = left - signalled
            handles = [_signal(pid, signo, token, sid) for pid in fresh]
            signalled |= fresh
            wait_for_end(left, min(deadline, time.monotonic() + 0.2))
            for handle in handles:
                if handle is not None:
                    os.close(handle)
            if time.monotonic() >= deadline:
                break
        else:
            return 0
    return len(_tree(token, sid))


def end_session(leader: int, grace: float) -> None:
    """Ends a child of ours that leads a session, all in it and all that descends from it: TERM,
    after grace seconds KILL. The child is still to be waited for."""
    known = _family(leader)
    for member in known if grace else ():
        family.send(member, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while (left := {pid for pid, ticks in known if _runs(pid, ticks)}) and (
        time.monotonic() < deadline
    ):
        wait_for_end(left, deadline)
        known |= _family(leader)
    for _ in range(2):  # what was begun while the others were ended is found the second time
        known |= _family(leader)
        for member in known:
            family.send(member, signal.SIGKILL)
    deadline = time.monotonic() + KILL_PATIENCE  # a killed process may take its time to be gone
    while (left := {pid for pid, ticks in known if _runs(pid, ticks)}) and (
        time.monotonic() < deadline
    ):
        wait_for_end(left, deadline)


_OWNER = "callboard.owner="
_place = ""
"""The home that this process works for."""


def works_for(home: str) -> None:
    """What this process starts from now on carries the mark of this home."""
    global _place
    _place = _name(home)


def works_for_owner(mark: str) -> None:
    """The same as whoever made the mark."""
    global _place
    _place = mark.removeprefix(_OWNER).partition(":")[0]


def _name(home: str) -> str:
    """Of the directory itself: in a container, whose processes are seen from outside it, the
    same path is another home, and its pids say nothing here."""
    try:
        found = Path(home).stat()
    except OSError:
        return "none"
    return f"{found.st_dev:x}.{found.st_ino:x}"


def owner_mark() -> str:
    """For the command line of a process that is to live no longer than this one: `git` takes it
    as a setting (`-c`) that means nothing."""
    return f"{_OWNER}{_place}:{_identity_of(os.getpid())}"


def runs_for(words: list[str], home: str) -> bool:
    """Whether a command line carries the mark of this home: one of its processes started it."""
    mark = f"{_OWNER}{_name(home)}:"
    return any(word.startswith(mark) for word in words)


@functools.cache
def _identity_of(pid: int) -> str:
    return f"{pid}:{start_time(pid)}"


_GRACE = 2.0
"""Seconds between TERM, at which git takes its lock files away, and KILL."""


def end_abandoned(home: str, mine: bool = False) -> None:
    """Ends what carries the mark of a process of this home that is gone (with `mine`: or of this
    one), each with all it started: a runtime that was killed cannot. Blocks up to 2 s. Linux."""
    if not family.LINUX:
        return
    mark = f"{_OWNER}{_name(home)}:"
    leaders = [pid for pid in family.living() if _is_abandoned(pid, mark, mine)]
    if leaders:
        with ThreadPoolExecutor(len(leaders)) as each:
            list(each.map(lambda pid: end_session(pid, _GRACE), leaders))


def _is_abandoned(pid: int, mark: str, mine: bool) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return False  # gone
    for word in words:
        owner, _, started = word.removeprefix(mark).partition(":")
        if word.startswith(mark) and owner.isdecimal():
            gone = (mine and word == owner_mark()) or is_alive(int(owner), started) is False
            return gone and _leads_session(pid)
    return False


def _leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _family(leader: int) -> set[family.Member]:
    fields = family.stat(leader)  # of a zombie the number is still its own
    own = {(leader, fields[19])} if fields else set()
    return own | family.members(leader, leader)


def _runs(pid: int, ticks: str) -> bool:
    if not family.LINUX:
        return bool(family.members(pid, pid))
    fields = family.stat(pid)
    return fields is not None and fields[0] not in "ZX" and fields[19] == ticks


def _tree(token: str, sid: int) -> set[int]:
    ours = marked(token)
    session = session_members(sid)
    return (ours | session if ours & session else ours) - {os.getpid()}


def _signal(pid: int, signo: int, token: str, sid: int) -> int | None:
    """Signals pid if it is still one of the tree. Returns its pidfd where there are such."""
    if sys.platform != "linux":
        with contextlib.suppress(OSError):
            os.kill(pid, signo)
        return None
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        # The handle was opened after the listing: look again, then it cannot be another's.
        if pid in _tree_of(pid, token, sid):
            signal.pidfd_send_signal(handle, signo)
            if signo == signal.SIGTERM:
                signal.pidfd_send_signal(handle, signal.SIGCONT)
    return handle


def _tree_of(pid: int, token: str, sid: int) -> set[int]:
    fields = family.stat(pid)
    if fields and fields[3] == str(sid):
        return {pid}
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {pid} if f"CALLBOARD_TERMINAL={token}".encode() in environ else set()


def wait_for_end(pids: set[int], deadline: float) -> None:
    """Until one of pids has ended, or the deadline (of the monotonic clock) has come."""
    patience = max(0.0, deadline - time.monotonic())
    if sys.platform != "linux":
        time.sleep(min(patience, 0.05))  # no pidfd here, and a kqueue is not simpler
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


def read_exit(directory: Path) -> Exit | None:
    """How the program of this host ended; None if that is not written (yet).

    Raises OSError or msgspec.DecodeError when there is a record that cannot be read: unknown.
    """
    try:
        return decode_exit((directory / "exit.json").read_bytes())
    except FileNotFoundError:
        return None


def read_identity(directory: Path) -> Identity | None:
    """Who runs there; None if that is not written (yet). Raises as read_exit does."""
    try:
        return _identity((directory / "host.json").read_bytes())
    except FileNotFoundError:
        return None


def host_lives(directory: Path) -> bool | None:
    """Whether a host holds the lock of this directory. The lock ends with its process."""
    try:
        fd = os.open(directory / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(fd)


def find_hosts(root: Path) -> Iterator[Found]:
    """Every host's directory below root, dead or alive. A record that is unreadable is None."""
    try:
        inside = sorted(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    if root / "lock" in inside:
        identity, ended = None, None
        with contextlib.suppress(OSError, msgspec.DecodeError):
            identity = read_identity(root)
        alive = host_lives(root)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            ended = read_exit(root)  # after the look at the lock: a host writes it before it ends
        yield Found(root, identity, alive, ended)
        return
    for path in inside:
        if path.is_dir() and not path.is_symlink():
            yield from find_hosts(path)


def _ps(*words: str) -> str:
    """Raises OSError or subprocess.SubprocessError when ps cannot say; "" when nobody is there."""
    done = subprocess.run(["ps", *words], capture_output=True, text=True, timeout=10)
    if done.returncode not in (0, 1):
        raise OSError(f"ps {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
