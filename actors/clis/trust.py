"""Which settings of repositories a person has trusted: those by which CLIs start programs.

A CLI takes hooks, MCP servers and plugins from the repository that it works in (`starters` of its
profile) and runs what they name. So a person trusts them before, and by content: the home remembers
for each repository the digests that are trusted. A file that changes is not trusted any more.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from actors.clis.edit import replace_file
from actors.git.reading.commits import tree_of
from actors.git.running.library import opened, pygit2
from actors.platform.files import read_bounded

_FILE: Final = "trusted.json"
_BYTES: Final = 1 << 20
"""Bytes of one file. One that has more is trusted by nobody."""
_COUNT: Final = 1_000
_DEPTH: Final = 8
_NAMES: Final = 6
_LINK: Final = b"link to "

Found = dict[str, str]
"""The digest of each file, by its path from the repository's root; "" if it cannot be read."""

_decode = msgspec.json.Decoder(dict[str, dict[str, str]]).decode


def in_directory(names: Iterable[str], top: Path, place: Path) -> Found:
    """Return the files of these names in `place` and in the directories above it, up to `top`.

    For a name of a directory these are all files below it. Links within the repository are
    followed; any other one counts by where it points.
    """
    root = top.resolve()
    found: Found = {}
    for directory in _between(PurePosixPath(place.relative_to(top))):
        for name in names:
            for path in _files(top / directory / name, root):
                at = path.relative_to(top).as_posix()
                found[at] = _digest_of_file(at, path, root)
    return found


def in_commit(names: Iterable[str], git_dir: str, commit: str, place: PurePosixPath) -> Found:
    """Return what a fresh checkout of a commit would have; see `in_directory`."""
    tree = tree_of(opened(git_dir), commit)
    found: Found = {}
    for directory in _between(place):
        for name in names:
            found |= _below(tree, (directory / name).as_posix())
    return found


def trusted(home: Path, git_dir: str) -> dict[str, str]:
    """Return what is trusted of a repository: digests, each with the path of its file.

    It is nothing if the home's file cannot be read.
    """
    return _all(home).get(str(Path(git_dir).resolve()), {})


def untrusted(home: Path, git_dir: str, found: Found) -> list[str]:
    """Return the files that nobody has trusted, sorted."""
    known = trusted(home, git_dir) if found else {}
    return sorted(path for path, digest in found.items() if digest not in known)


def listed(names: list[str]) -> str:
    """Return the first names, for a sentence."""
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def trust(home: Path, git_dir: str, found: Found) -> None:
    """Trust the files that could be read. Raise `OSError`."""
    news = {digest: path for path, digest in found.items() if digest}
    known = _all(home)
    repository = str(Path(git_dir).resolve())
    known[repository] = {**known.get(repository, {}), **news}
    data = msgspec.json.format(msgspec.json.encode(known), indent=1)
    replace_file(home / _FILE, data + b"\n", 0o600)


def _all(home: Path) -> dict[str, dict[str, str]]:
    try:
        return _decode(read_bounded(home / _FILE, 16 * _BYTES, follow=False))
    except (OSError, msgspec.MsgspecError):
        return {}


def _between(place: PurePosixPath) -> tuple[PurePosixPath, ...]:
    """Return a directory and those above it, relative to the repository's root."""
    return (place, *place.parents)


def _files(path: Path, root: Path) -> Iterator[Path]:
    """Yield a file, or the files below a directory, those that are nested least first.

    A directory that is nested too deep, or comes after too many files, is yielded itself.
    """
    to_read = deque([(path, 0)])
    count = 0
    while to_read:
        path, depth = to_read.popleft()
        looks = depth < _DEPTH and count < _COUNT and not _leaves(path, root)
        inside = _entries(path) if looks else None
        if inside is not None:
            to_read += [(each, depth + 1) for each in inside if each.name != ".git"]
        elif os.path.lexists(path):
            count += 1
            yield path


def _entries(path: Path) -> list[Path] | None:
    try:
        return sorted(path.iterdir())
    except OSError:
        return None


def _leaves(path: Path, root: Path) -> bool:
    """Return whether a path is a link out of the repository, or to nothing."""
    if not path.is_symlink():
        return False
    return not (path.exists() and path.resolve().is_relative_to(root))


def _digest_of_file(at: str, path: Path, root: Path) -> str:
    try:
        if _leaves(path, root):
            return _digest(at, _LINK + os.fsencode(path.readlink()))
        return _digest(at, read_bounded(path, _BYTES))
    except OSError:
        return ""


def _digest(at: str, data: bytes) -> str:
    """Line ends do not count: a checkout may convert them."""
    whole = os.fsencode(at) + b"\0" + data.replace(b"\r\n", b"\n")
    return hashlib.sha256(whole).hexdigest()


def _below(tree: pygit2.Tree, at: str, links: int = 4) -> Found:
    """Return the file, or the files of the directory, at a path of a commit's tree."""
    found: Found = {}
    to_read = [(at, at, links)]  # the path that is shown, and the one that is read
    while to_read:
        shown, path, left = to_read.pop()
        try:
            entry = tree[path]
        except KeyError:
            continue
        if isinstance(entry, pygit2.Tree):
            to_read += [(f"{shown}/{e.name}", f"{path}/{e.name}", left) for e in entry]
        elif isinstance(entry, pygit2.Blob) and entry.filemode == stat.S_IFLNK:
            goal = posixpath.normpath(posixpath.join(path, "..", os.fsdecode(entry.data)))
            if goal in tree and left:
                to_read.append((shown, goal, left - 1))
            else:
                found[shown] = _digest(shown, _LINK + entry.data)
        elif isinstance(entry, pygit2.Blob):
            found[shown] = _digest(shown, entry.data) if entry.size <= _BYTES else ""
    return found
