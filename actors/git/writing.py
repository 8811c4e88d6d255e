# ruff: noqa: PTH115, PTH116, PTH118, PTH119, PTH208 (strings are much faster than Path)
"""Is git writing in this worktree? The question before a worktree is judged.

Git does most things in several steps. `git commit -a` moves the branch first and replaces the
index after it; a cherry-pick of three commits moves the branch three times; a hook runs between
two steps and may take its time. What git leaves while it works are lock files, state files, and
its own process.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from actors.host import family

OPERATIONS: Final = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "sequencer": "cherry-pick or revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase or am",
}
"""State in a worktree's git directory that stands until the operation has ended."""

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
"""Commands that change neither the index nor HEAD, and may run for long (a pager, a network)."""
_WITH_VALUE: Final = frozenset(
    {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--super-prefix"}
)

Stamp = tuple[int, int, int]
"""Inode, time of change in nanoseconds, size: equal while nobody writes."""


class Signs(msgspec.Struct, frozen=True):
    """What shows that git works in a worktree. Equal values: nothing went on between the two."""

    locks: tuple[tuple[str, Stamp], ...]
    """Lock files of the index, by path."""
    operations: tuple[tuple[str, Stamp], ...]
    """Names of `OPERATIONS` that are under way, or were left."""
    index: Stamp | None
    head: str


def signs(admin: str) -> Signs:
    """Look at `admin`, a worktree's own git directory. Raises `OSError` when it cannot be read."""
    names = sorted(os.listdir(admin))
    locks = [n for n in names if n == "index.lock" or n.startswith("next-index-")]
    return Signs(
        locks=_stamped(admin, locks),
        operations=_stamped(admin, [n for n in names if n in OPERATIONS]),
        index=_stamp(os.path.join(admin, "index")),
        head=Path(admin, "HEAD").read_text("utf-8", "surrogateescape"),
    )


def writers(worktree: str, admin: str) -> list[int] | None:
    """Return the git processes that work in the worktree and may change it.

    Git runs in the top directory of the worktree, so its working directory tells. The processes of
    its hooks are not named: git waits for them. None: this system does not tell (no /proc).
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
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            name = file.read().strip()
    except OSError:
        return False  # it is gone
    return name == b"git" or name.startswith(b"git-")


def _is_at(pid: str, places: list[str], files: set[tuple[int, int] | None]) -> bool:
    """By the directory itself, too: a sandbox may show it under another path."""
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
    """Whether its command line names a command that only reads."""
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
