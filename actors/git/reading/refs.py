# ruff: noqa: PTH112, PTH116, PTH118, PTH208 (this runs at every event; strings are much faster than Path)
"""Read what every branch and worktree points at now, from the files of the repository.

`RefScanner` reads loose refs first and `packed-refs` after them. Git writes a packed ref before it
deletes the loose one, so this order never misses a ref that exists (hazard 11). A change that is
made during the scan may or may not be seen; the watch reports it, and the caller scans again.
"""

import errno
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from actors.platform.files import read_bounded, read_line
from bus import clock

HEADS: Final = "refs/heads/"
_OID: Final = re.compile(r"[0-9a-f]{40}")
_SYMBOLIC: Final = "ref: "
_PACKED: Final = 1 << 28
"""Bytes of `packed-refs`: four million refs."""
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
_NO_REF: Final = frozenset({errno.EINVAL, errno.EFBIG, errno.ENXIO, errno.ELOOP})
"""What opening a special file, an endless one or a link to itself gives (`platform.files`)."""
_SETTLED: Final = 2.0
"""Seconds after which the next write of a file has another time, on any file system."""
_Stamp = tuple[int, int, int, int, int]
_DEPTH: Final = 5
"""How many symbolic refs in a row are followed: five, as git does."""


class RefState(msgspec.Struct, frozen=True):
    """The refs of a repository, read one after another and not at one instant."""

    heads: dict[str, str]
    """Full ref name to object id. A symbolic branch has the id of what it points at."""
    worktrees: dict[str, str]
    """Name of a linked worktree (in `worktrees/`) to its HEAD: a full ref name or an object id."""
    head: str
    """HEAD of the main checkout: a full ref name or an object id; empty if unreadable."""
    broken: tuple[str, ...] = ()
    """Branches that cannot be resolved.

    Their file is not a ref (it may be empty after a power cut), they point at a missing ref, or
    their name is not UTF-8.
    """
    whole: bool = True
    """True if all branches and worktrees were read, False if only those asked for."""


class RefScanner:
    """A reader of one repository's refs. For one thread.

    `packed-refs`, and for `look` loose refs, are read again only when their stat is another.
    """

    def __init__(self, git_dir: str) -> None:
        self._git_dir = git_dir
        self._packed_stamp: tuple[int, int, int] | None = None
        self._packed: dict[str, str] = {}
        self._loose: dict[str, tuple[_Stamp, str]] = {}

    def look(self, refs: Collection[str], worktrees: Collection[str]) -> RefState:
        """Read only these branches (full names) and worktrees, and the worktrees' branches.

        The result's `head` is empty. If one of the branches is symbolic, everything is read, as by
        `scan`. Raise `FileNotFoundError` if there is no repository.
        """
        found = worktree_heads(self._git_dir, worktrees)
        names = {*refs, *(head for head in found.values() if head.startswith(HEADS))}
        loose = {name: self._read_loose(name) for name in names}
        packed = self._read_packed()
        values = {  # an empty file is a broken ref, even if it is packed, too
            name: packed.get(name, "") if (text := loose[name]) is None else text for name in names
        }
        if any(value.startswith(_SYMBOLIC) for value in values.values()):
            return self.scan()
        heads = {name: value for name, value in values.items() if _OID.fullmatch(value)}
        broken = tuple(
            name for name, text in loose.items() if text is not None and name not in heads
        )
        if not heads and not Path(self._git_dir, "HEAD").exists():
            raise FileNotFoundError(f"there is no repository at {self._git_dir} any more")
        return RefState(heads=heads, worktrees=found, head="", broken=broken, whole=False)

    def scan(self) -> RefState:
        """Read all refs. A loose ref takes about 20 µs; packed ones are read when they change."""
        loose: dict[str, str] = {}
        _read_tree(os.path.join(self._git_dir, "refs", "heads"), HEADS, loose)
        values = {**self._read_packed(), **loose}
        heads: dict[str, str] = {}
        broken = []
        for ref, value in values.items():
            oid = value if _OID.fullmatch(value) else _resolve(value, values)
            if oid is None or not _is_text(ref):
                broken.append(ref.encode(errors="replace").decode())
            else:
                heads[ref] = oid
        return RefState(
            heads=heads,
            worktrees=worktree_heads(self._git_dir, worktree_names(self._git_dir)),
            head=main_head(self._git_dir),
            broken=tuple(broken),
        )

    def _read_loose(self, name: str) -> str | None:
        """Read a loose ref, as `_read` does; one that was read before only if its stat is another.

        A file that has just been written is read again, because a clock may be too coarse to tell
        two writes apart.
        """
        path = os.path.join(self._git_dir, name)
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return _read(path)
        stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known = self._loose.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        text = _read(path)
        if text and clock.wall().timestamp() - max(found.st_mtime, found.st_ctime) > _SETTLED:
            self._loose[name] = (stamp, text)
        else:
            self._loose.pop(name, None)
        return text

    def _read_packed(self) -> dict[str, str]:
        path = os.path.join(self._git_dir, "packed-refs")
        try:
            found = os.stat(path)
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp != self._packed_stamp:
                text = os.fsdecode(read_bounded(path, _PACKED))
                self._packed = dict(_packed_lines(text))
                self._packed_stamp = stamp
        except (FileNotFoundError, NotADirectoryError):
            self._packed, self._packed_stamp = {}, None
        return self._packed


def worktree_names(git_dir: str) -> list[str]:
    """Return the names of the linked worktrees."""
    try:
        return os.listdir(os.path.join(git_dir, "worktrees"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def worktree_heads(git_dir: str, names: Collection[str]) -> dict[str, str]:
    """Return the HEAD of each of these linked worktrees, as in `RefState.worktrees`."""
    found = {}
    for name in names:
        if (text := _read(os.path.join(git_dir, "worktrees", name, "HEAD"))) is not None:
            found[name] = _target(text)
    return found


def main_head(git_dir: str) -> str:
    """Return HEAD of the main checkout, as in `RefState.head`."""
    return _target(_read(os.path.join(git_dir, "HEAD")) or "")


def read_ref(git_dir: str, ref: str) -> str | None:
    """Return the object id of a ref (full name), following symbolic refs; None if there is none."""
    for _ in range(_DEPTH):
        text = _read(os.path.join(git_dir, ref))
        if text is None:
            text = _packed_value(git_dir, ref)
        if text is None or _OID.fullmatch(text):
            return text
        if not text.startswith(_SYMBOLIC):
            return None
        ref = _target(text)
    return None


def _packed_value(git_dir: str, ref: str) -> str | None:
    try:
        text = os.fsdecode(read_bounded(Path(git_dir, "packed-refs"), _PACKED))
    except FileNotFoundError:
        return None
    found = re.search(rf"^([0-9a-f]{{40}}) {re.escape(ref)}$", text, re.MULTILINE)
    return found[1] if found else None


def _packed_lines(text: str) -> list[tuple[str, str]]:
    """Return `(ref, oid)` of each branch; skip comments (`#`) and peeled tags (`^`)."""
    return [
        (line[41:], line[:40])
        for line in text.split("\n")
        if line[40:52] == " refs/heads/" and line[0] not in "#^"
    ]


def _read_tree(directory: str, prefix: str, into: dict[str, str]) -> None:
    """Read all refs below a directory; a branch may be nested as deep as the file system allows."""
    to_read = [(directory, prefix)]
    while to_read:
        directory, prefix = to_read.pop()
        try:
            entries = list(os.scandir(directory))
        except OSError as error:
            if error.errno in _GONE:
                continue  # git removes directories that have become empty; no branch is longer
            raise
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                to_read.append((entry.path, f"{prefix}{entry.name}/"))
            elif not entry.name.endswith(".lock") and (text := _read(entry.path)) is not None:
                into[prefix + entry.name] = text


def _read(path: str) -> str | None:
    """Return the text of a loose ref, None if there is none, "" for what is no ref."""
    try:
        return read_line(path).strip()
    except OSError as error:
        if error.errno in _GONE or os.path.isdir(path):
            return None
        if error.errno in _NO_REF:
            return ""
        raise


def _target(text: str) -> str:
    return text.removeprefix(_SYMBOLIC).strip()


def _is_text(name: str) -> bool:
    """Return whether a name can be written as JSON: bytes that are not UTF-8 are surrogates."""
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)


def _resolve(value: str, values: dict[str, str]) -> str | None:
    for _ in range(_DEPTH):
        if not value.startswith(_SYMBOLIC):
            return value if _OID.fullmatch(value) else None
        value = values.get(_target(value), "")
    return None
