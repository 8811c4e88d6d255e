"""The files that all worktrees of a repository share, and that every git there obeys.

They are the configuration, the hooks, `info/` and the alternates. An agent that changes them
changes what other agents' git does, and the user's own. So a copy is kept from the submission of a
plan on (`keeping`), and what differs from it is found here.

Not every difference matters. Git and its tools write some keys by themselves (`_is_quiet`), and
some changes touch nothing that lands (`_is_held`). docs/decisions.md has the list with its
reasons.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from actors.git.running.command import GitFailed, git, split0
from actors.git.running.names import SHARED_FILES, SHARED_FOLDERS
from actors.platform.files import read_open

_ALTERNATES: Final = "objects/info/alternates"
_UNREAD: Final = frozenset({"info/refs", "info/sparse-checkout"})
"""Files that git writes for servers, and for the user's checkout alone."""
_SAMPLES: Final = (".sample", ".lock")
LIMIT: Final = 1 << 20
"""Bytes of one file. More is not read, and is a change."""
COUNT: Final = 500
"""Files below one folder. More are not read."""
DEPTH: Final = 4


class File(msgspec.Struct, frozen=True):
    """The content of a file. `runs` says that it is executable, `trouble` why it was not read."""

    data: bytes = b""
    runs: bool = False
    trouble: str = ""


Files = dict[str, File]
"""By path, relative to the common git directory."""


class Change(msgspec.Struct, frozen=True):
    """A difference between two states.

    `name` is a file's path, and for a setting `config` and its key. `held` says that nothing may
    land until a person has looked. `before` and `after` are None where there was, or is, nothing.
    """

    name: str
    held: bool
    before: File | None
    after: File | None


def read(git_dir: str) -> Files:
    """Read the shared files. What cannot be read is a file with `trouble`; nothing blocks."""
    return {name: _file(Path(git_dir, name)) for name in _names(git_dir)}


def below(top: Path) -> Files:
    """Read the files below a directory of hooks, by their path relative to it."""
    return {name: _file(top / name) for name in _listed(top)}


def stamp(git_dir: str) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes with any change of the shared files; reads no contents."""
    found = []
    for name in _names(git_dir):
        with contextlib.suppress(OSError):
            now = Path(git_dir, name).stat()
            found.append((name, now.st_ino, now.st_ctime_ns, now.st_size))
    return tuple(found)


def changes(before: Files, after: Files, target: str) -> list[Change]:
    """Return what differs and matters, sorted; `target` is the branch on which plans land."""
    found: list[Change] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name in SHARED_FILES:
            found += _settings_changed(name, old, new, target)
        elif _runs(name, old) or _runs(name, new):
            found.append(Change(name, name != "info/exclude", old, new))
    return found


def _runs(name: str, file: File | None) -> bool:
    """Return whether git obeys the file: it ignores hooks that are not executable."""
    return file is not None and (file.runs or bool(file.trouble) or not name.startswith("hooks/"))


def _settings_changed(
    name: str, old: File | None, new: File | None, target: str
) -> Iterator[Change]:
    before, after = settings(old), settings(new)
    if before is None or after is None:
        yield Change(name, True, old, new)
        return
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        if was != now and not _is_quiet(key, target):
            yield Change(f"{name} {key}", _is_held(key), _value(was), _value(now))


def _value(values: list[str] | None) -> File | None:
    return None if values is None else File("\n".join(values).encode("utf-8", "surrogateescape"))


def settings(file: File | None) -> dict[str, list[str]] | None:
    """Return the values of each key of a configuration file; None if git cannot read it.

    Git gets the content and not the path, and follows no include.
    """
    if file is None or not file.data:
        return None if file is not None and file.trouble else {}
    try:
        output = git(
            *("config", "--file", "-", "--no-includes", "-z", "--list"), at="/", stdin=file.data
        )
    except GitFailed:
        return None
    found: dict[str, list[str]] = {}
    for line in split0(output):
        key, _, value = line.partition("\n")
        found.setdefault(key, []).append(value)
    return found


def _is_quiet(key: str, target: str) -> bool:
    """Return whether git or its usual tools write this key by themselves, and it runs nothing."""
    section, _, rest = key.partition(".")
    inner, _, name = rest.rpartition(".")
    match section:
        case "branch":
            return inner != target
        case "gc" | "maintenance":
            return name != "recentobjectshook"
        case "lfs":
            return name in ("repositoryformatversion", "access", "locksverify")
        case "submodule":
            return name in ("active", "url") and bool(inner)
        case "core":
            return name in ("sparsecheckout", "sparsecheckoutcone")
        case "remote":
            return name == "gh-resolved"
        case "gui" | "gitk" | "index":
            return True
    return False


def _is_held(key: str) -> bool:
    """Return whether a changed key keeps plans from landing.

    Names and addresses do not: the author of merges is fixed at the submission.
    """
    return key not in {f"{who}.{what}" for who in _PEOPLE for what in ("name", "email")}


_PEOPLE: Final = ("user", "author", "committer")


def _names(git_dir: str) -> list[str]:
    names = [name for name in (*SHARED_FILES, _ALTERNATES) if os.path.lexists(Path(git_dir, name))]
    for folder in SHARED_FOLDERS:
        names += [f"{folder}/{name}" for name in _listed(Path(git_dir, folder))]
    return [name for name in names if name not in _UNREAD]


def _listed(top: Path) -> list[str]:
    """Return the relative paths of the files below `top`, at most `COUNT`, sorted."""
    found: list[str] = []
    open_folders = [(top, 0)]
    while open_folders:
        folder, depth = open_folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if depth < DEPTH:
                    open_folders.append((Path(entry.path), depth + 1))
            elif not entry.name.endswith(_SAMPLES):
                found.append(str(Path(entry.path).relative_to(top)))
            if len(found) >= COUNT:
                return sorted(found)
    return sorted(found)


def _file(path: Path) -> File:
    try:
        data, mode = read_open(path, LIMIT)
    except FileNotFoundError:
        return File(trouble="a link to nothing" if path.is_symlink() else "it is gone")
    except OSError as error:
        return File(trouble=error.strerror or str(error))
    return File(data, bool(mode & stat.S_IXUSR))
