# ruff: noqa: PTH115, PTH116, PTH118, PTH119, PTH208 (strings are much faster than Path)
"""Find out whether a git is writing in a worktree, before the worktree is examined.

Most git commands work in several steps. `git commit -a` moves the branch first and replaces the
index afterwards. A cherry-pick of three commits moves the branch three times. A hook may run for
long between two steps. While git works, its lock files, its state files and its process show it.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from actors.host import family
from actors.platform.files import read_line

OPERATIONS: Final = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "sequencer": "cherry-pick or revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase or am",
}
"""File in a worktree's git directory that exists until an operation ends, to its name."""

_READERS: Final = frozenset(
    {
        *("archive", "blame", "branch", "bundle", "cat-file", "config", "credential"),
        *("credential-cache--daemon", "daemon", "describe", "diff", "fetch", "for-each-ref"),
        *("fsck", "fsmonitor--daemon", "gc", "grep", "help", "instaweb", "log", "ls-files"),
        *("ls-remote", "ls-tree", "maintenance", "pack-objects", "prune", "push", "reflog"),
        *("remote", "repack", "rev-list", "rev-parse", "send-pack", "shortlog", "show"),
        *("show-ref", "status", "upload-pack", "var", "whatchanged"),
    }
)
"""Commands that change neither the index nor HEAD. Some run for long (a pager, the network)."""
_WITH_VALUE: Final = frozenset(
    {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--super-prefix"}
)

Stamp = tuple[int, int, int]
"""Inode, modification time in nanoseconds, size. Equal stamps mean that nobody wrote."""


class Signs(msgspec.Struct, frozen=True):
    """Signs that a git works in a worktree. If two are equal, nothing happened between them."""

    locks: tuple[tuple[str, Stamp], ...]
    """Path and stamp of each lock file of the index."""
    operations: tuple[tuple[str, Stamp], ...]
    """Path and stamp of each file of `OPERATIONS`, whether its operation runs or was left."""
    index: Stamp | None
    head: str


def signs(admin: str) -> Signs:
    """Read the signs in `admin`, a worktree's own git directory. Raise `OSError` if that fails."""
    names = sorted(os.listdir(admin))
    locks = [n for n in names if n == "index.lock" or n.startswith("next-index-")]
    return Signs(
        locks=_stamped(admin, locks),
        operations=_stamped(admin, [n for n in names if n in OPERATIONS]),
        index=_stamp(os.path.join(admin, "index")),
        head=read_line(Path(admin, "HEAD")),
    )


def writers(worktree: str, admin: str) -> list[int] | None:
    """Return the ids of the git processes that work in the worktree and may change it.

    Git changes to the top directory of the worktree, so its working directory shows where it works.
    Processes of hooks are left out, because their git waits for them and is listed. The result is
    None on a system without /proc.
    """
    if not family.LINUX:
        return None
    places = [os.path.realpath(path) for path in (worktree, admin)]
    files = {_file(path) for path in places} - {None}
    return [
        int(name)
        for name in os.listdir("/proc")
        if name.isdigit() and _is_git(name) and _is_at(name, places, files) and not _reads(name)
    ]


def _stamped(admin: str, names: list[str]) -> tuple[tuple[str, Stamp], ...]:
    stamps = [(os.path.join(admin, name), _stamp(os.path.join(admin, name))) for name in names]
    return tuple((path, stamp) for path, stamp in stamps if stamp is not None)


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _is_git(pid: str) -> bool:
    """Each look asks this of every process of the machine, so no file object is made."""
    try:
        fd = os.open(f"/proc/{pid}/comm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # it is gone
    try:
        name = os.read(fd, 32)  # it has at most 16 bytes
    except OSError:
        return False
    finally:
        os.close(fd)
    return name.strip() == b"git" or name.startswith(b"git-")


def _is_at(pid: str, places: list[str], files: set[tuple[int, int] | None]) -> bool:
    """Return whether a process works in one of `places`, by the path or the identity of its cwd.

    In a sandbox the same directory may have another path.
    """
    link = f"/proc/{pid}/cwd"
    try:
        at = os.readlink(link)
    except OSError:
        return False  # it is gone, a zombie, or another user's
    return _file(link) in files or any(at.startswith(place + "/") for place in places)


def _file(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _reads(pid: str) -> bool:
    """Return whether the command line names a git command that only reads."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).split("\0")
    except OSError:
        return True  # it is gone
    program, *rest = words
    name = os.path.basename(program).removeprefix("git-")
    if name != "git":
        return name in _READERS
    arguments = iter(rest)
    for word in arguments:
        if word in _WITH_VALUE:
            next(arguments, None)
        elif not word.startswith("-"):
            return word in _READERS
    return False
