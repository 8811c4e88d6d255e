# ruff: noqa: PTH112, PTH114, PTH115, PTH116 (each look reads these; strings are much faster than Path)
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
from actors.git.running.names import SHARED_FILES, SHARED_FOLDERS, shown
from actors.platform.files import read_open

_OBJECTS: Final = "objects/info"
_ALTERNATES: Final = f"{_OBJECTS}/alternates"
_SHALLOW: Final = "shallow"
"""Where history ends. Cut shorter, branches lose what they have in common."""
_FOLDERS: Final = (*SHARED_FOLDERS, _OBJECTS)
_UNREAD: Final = frozenset({"info/refs", "info/sparse-checkout"})
"""Files that git writes for servers, and for the user's checkout alone."""
_SAMPLES: Final = (".sample", ".lock")
LIMIT: Final = 1 << 20
"""Bytes of one file. More is not read, and is a change."""
COUNT: Final = 500
"""Files below one folder. More are not read."""
DEPTH: Final = 4


class File(msgspec.Struct, frozen=True):
    """The content of a file. `runs` says that it is executable, `trouble` why it was not read.

    `link` is where it points, if it is a symbolic link. A folder stands among the files only if it
    is such a link, or has trouble.
    """

    data: bytes = b""
    runs: bool = False
    trouble: str = ""
    link: str = ""


Files = dict[str, File]
"""By path, relative to the common git directory, as `os.fsdecode` reads it."""


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
    found = {name: _file(f"{git_dir}/{name}") for name in _names(git_dir)}
    for folder in _FOLDERS:
        if odd := _odd_folder(f"{git_dir}/{folder}"):
            found[folder] = odd
    return found


def below(top: Path) -> Files:
    """Read the files below a directory of hooks, by their path relative to it."""
    return {name: _file(f"{top}/{name}") for name in _listed(str(top))}


def folder_of(name: str) -> str:
    """Return the folder of a shared file, or the folder itself; "" if it has none."""
    return next((each for each in _FOLDERS if name == each or name.startswith(f"{each}/")), "")


def stamp(git_dir: str) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes with any change of the shared files; reads no contents."""
    found = []
    for name in (*_FOLDERS, *_names(git_dir)):
        path = f"{git_dir}/{name}"
        with contextlib.suppress(OSError):
            own = os.lstat(path)
            for now in (own, os.stat(path)) if stat.S_ISLNK(own.st_mode) else (own,):
                found.append((name, now.st_ino, now.st_ctime_ns, now.st_size))
    return tuple(found)


def changes(before: Files, after: Files, target: str) -> list[Change]:
    """Return what differs and matters, sorted; `target` is the branch on which plans land."""
    found: list[Change] = []
    replaced = {name for name in _FOLDERS if before.get(name) != after.get(name)}
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new or (name not in replaced and folder_of(name) in replaced):
            continue
        if name in replaced or _link(old) != _link(new):
            found.append(Change(name, True, old, new))
        elif name in SHARED_FILES:
            found += _settings_changed(name, old, new, target)
        elif name == _SHALLOW:
            if not _commits(new) <= _commits(old):
                found.append(Change(name, True, old, new))
        elif _runs(name, old) or _runs(name, new):
            found.append(Change(name, name != "info/exclude", old, new))
    return found


def _link(file: File | None) -> str:
    return file.link if file is not None else ""


def _commits(file: File | None) -> set[bytes]:
    """Return the commits at which history ends. More history is no change that matters."""
    return {file.trouble.encode(), *file.data.split()} - {b""} if file is not None else set()


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
    alone = (*SHARED_FILES, _ALTERNATES, _SHALLOW)
    names = [name for name in alone if os.path.lexists(f"{git_dir}/{name}")]
    for folder in SHARED_FOLDERS:
        names += [f"{folder}/{name}" for name in _listed(f"{git_dir}/{folder}")]
    return [name for name in names if name not in _UNREAD]


def _odd_folder(path: str) -> File | None:
    """Return what stands for a folder that is a link, no folder, or too large to be read."""
    try:
        link = _link_at(path)
        if not os.path.isdir(path) and (link or os.path.lexists(path)):
            return File(trouble="not a directory", link=link)
    except OSError as error:
        return File(trouble=error.strerror or str(error))
    more = len(_listed(path)) >= COUNT
    trouble = f"it has {COUNT} files or more" if more else ""
    return File(trouble=trouble, link=link) if link or trouble else None


def _link_at(path: str) -> str:
    """Return where a symbolic link points; "" if it is none. Raise `OSError`."""
    return shown(os.readlink(path)) if os.path.islink(path) else ""


def _listed(top: str) -> list[str]:
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
                    open_folders.append((entry.path, depth + 1))
            elif not entry.name.endswith(_SAMPLES):
                found.append(entry.path[len(top) + 1 :])
            if len(found) >= COUNT:
                return sorted(found)
    return sorted(found)


def _file(path: str) -> File:
    link = ""
    try:
        link = _link_at(path)
        data, mode = read_open(path, LIMIT)
    except FileNotFoundError:
        return File(trouble="a link to nothing" if link else "it is gone", link=link)
    except OSError as error:
        return File(trouble=error.strerror or str(error), link=link)
    return File(data, bool(mode & stat.S_IXUSR), link=link)
