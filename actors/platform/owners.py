"""Marks on command lines that say which process of which home started a process.

A runtime that is killed cannot end the git commands and workers that it has started. Their command
lines carry a mark, so that the next runtime of the same home finds and ends them.
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from actors.host import family
from actors.platform.processes import command_lines, end_session, is_alive, start_time

_OWNER = "callboard.owner="
_GRACE = 2.0
"""Seconds between SIGTERM, after which git removes its lock files, and SIGKILL."""

_home_id = ""
"""The id of the home that this process works for."""


def work_for(home: str) -> None:
    """Mark the processes that this process starts from now on with this home."""
    global _home_id
    _home_id = _id_of(home)


def work_for_owner_of(mark: str) -> None:
    """Mark the processes that this process starts with the home of an existing mark."""
    global _home_id
    _home_id = mark.removeprefix(_OWNER).partition(":")[0]


def owner_mark() -> str:
    """Return the mark for the command line of a process that this process starts.

    It has the form of a git setting without a meaning, so that `git -c` accepts it.
    """
    return f"{_OWNER}{_home_id}:{_identity_of(os.getpid())}"


def runs_for(words: list[str], home: str) -> bool:
    """Whether a command line carries the mark of this home."""
    mark = f"{_OWNER}{_id_of(home)}:"
    return any(word.startswith(mark) for word in words)


def abandoned(home: str, mine: bool = False) -> list[int]:
    """Return the processes that `end_abandoned` would end; none where there is no /proc."""
    if not family.LINUX:
        return []
    mark = f"{_OWNER}{_id_of(home)}:"
    marked = ((pid, words) for pid, words in command_lines() if mark.encode() in words)
    return [pid for pid, words in marked if _is_abandoned(pid, words, mark, mine)]


def end_abandoned(home: str, mine: bool = False) -> None:
    """End the processes of this home whose owner has ended, and all they started. Linux only.

    With `mine`, end also those of this process. Block for up to 2 s plus `KILL_PATIENCE`.
    """
    leaders = abandoned(home, mine)
    if leaders:
        with ThreadPoolExecutor(len(leaders)) as each:
            list(each.map(lambda pid: end_session(pid, _GRACE), leaders))


def _id_of(home: str) -> str:
    """Return the device and inode of the home's directory.

    A path would not do: processes in a container are visible outside, where the same path is
    another home.
    """
    try:
        found = Path(home).stat()
    except OSError:
        return "none"
    return f"{found.st_dev:x}.{found.st_ino:x}"


@functools.cache
def _identity_of(pid: int) -> str:
    return f"{pid}:{start_time(pid)}"


def _is_abandoned(pid: int, words: bytes, mark: str, mine: bool) -> bool:
    for word in words.decode("utf-8", "replace").split("\0"):
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
