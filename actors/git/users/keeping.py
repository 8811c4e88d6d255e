"""A copy of the shared files as they were at the submission: what git obeys, and what is put back.

The copy lies in the home, in a directory for each workflow, and its digest in the database: a copy
that somebody changed is found out. The hooks lie there as files, too. Our own git and the agents'
git run those (`environment`), so an agent's hook in the repository speaks for no other agent.

The hooks are those that git runs in the user's checkout, wherever `core.hooksPath` says. Where it
is relative and has several parts (`.husky/_`), its parent directory is copied with it, because such
hooks start their neighbours.
"""

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from actors.git.running.command import GitFailed, git
from actors.git.users import shared
from actors.git.users.shared import Change, File, Files
from actors.platform import disk
from actors.platform.files import read_bounded
from bus.visible import visible

DIFF: Final = 4_000
"""Characters of a diff in a fact."""
_LINES: Final = 200
_WIDTH: Final = 200
_BLOB: Final = 64 << 20
_HIDDEN: Final = re.compile(r"extraheader|token|passw|secret|credential", re.IGNORECASE)
_LOGIN: Final = re.compile(r"//[^/@\s]{1,200}@")
_PARTS: Final = re.compile(r"[*?\[\\]")


class Kept(msgspec.Struct, frozen=True):
    """The copy. `hooks` are the hooks that git runs, below `top`; `inner` is their directory there.

    Without `top` the hooks are not copied, because one of them cannot be read.
    """

    files: Files
    hooks: Files
    top: str = ""
    inner: str = ""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Kept).decode
_BYTE: Final = re.compile("[\udc80-\udcff]")
_STORED: Final = re.compile("\0(dc[89a-f][0-9a-f])")


def _encode(kept: Kept) -> bytes:
    """Encode the copy. A byte of a name that is not UTF-8 is stored as a NUL and its number."""

    def stored(name: str) -> str:
        return _BYTE.sub(lambda found: f"\0{ord(found[0]):x}", name)

    return _pack(_renamed(kept, stored))


def _decode(blob: bytes) -> Kept:
    def named(text: str) -> str:
        return _STORED.sub(lambda found: chr(int(found[1], 16)), text)

    return _renamed(_unpack(blob), named)


def _renamed(kept: Kept, name: Callable[[str], str]) -> Kept:
    def files(of: Files) -> Files:
        return {name(path): file for path, file in of.items()}

    return Kept(files(kept.files), files(kept.hooks), name(kept.top), name(kept.inner))


def keep(git_dir: str, workdir: str | None, place: Path) -> str:
    """Copy the shared files to the directory `place`; return the digest of the copy."""
    kept = Kept(shared.read(git_dir), *_hooks(git_dir, workdir))
    blob = _encode(kept)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    disk.write_durably(place / "kept", blob)
    return hashlib.sha256(blob).hexdigest()


def forget(place: Path) -> None:
    """Remove the copy, but not what was put aside. Raise `OSError`."""
    for path in opened(place):
        if path.is_dir():
            disk.remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    (place / "kept").unlink(missing_ok=True)
    place.rmdir()


def stamp(place: Path) -> tuple[int, int] | None:
    """Return what changes with any change of the copy; None if there is none."""
    try:
        found = (place / "kept").stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def load(place: Path, digest: str) -> Kept | None:
    """Return the copy; None if it is not there, or is not the one with this digest."""
    try:
        blob = read_bounded(place / "kept", _BLOB, follow=False)
    except OSError:
        return None
    return _decode(blob) if hashlib.sha256(blob).hexdigest() == digest else None


def hooks_path(place: Path, kept: Kept | None) -> str:
    """Lay the copied hooks out, and return their directory; "" if they are not copied.

    What somebody changed there is written again. Raise `OSError`.
    """
    if kept is None or not kept.top:
        return ""
    top = place / "hooks" / kept.top
    if shared.below(top) != kept.hooks:
        if os.path.lexists(place / "hooks"):
            disk.remove_tree(place / "hooks")
        for name, file in kept.hooks.items():
            path = top / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(file.data)
            path.chmod(0o500 if file.runs else 0o400)
    directory = top / kept.inner
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(directory)


def environment(git_dir: str, place: Path, kept: Kept | None) -> dict[str, str]:
    """Return the settings, by key, that make an agent's git run the copied hooks.

    They count in worktrees of this repository only: an agent's tests may make repositories.
    """
    hooks = hooks_path(place, kept)
    if not hooks:
        return {}
    include = place / "agents.gitconfig"
    quoted = hooks.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    text = os.fsencode(f'[core]\n\thooksPath = "{quoted}"\n')
    with contextlib.suppress(OSError):
        if read_bounded(include, 1 << 16, follow=False) == text:
            return {_condition(git_dir): str(include)}
    disk.write_durably(include, text)
    return {_condition(git_dir): str(include)}


def opened(place: Path) -> list[Path]:
    """Return what an agent's git reads of the copy, in a sandbox that hides the home."""
    return [place / "hooks", place / "agents.gitconfig"]


def holds(git_dir: str, place: Path, digest: str, target: str) -> bool:
    """Return whether the shared files differ from the copy so that nothing may land."""
    kept = load(place, digest)
    return kept is None or any(
        change.held for change in shared.changes(kept.files, shared.read(git_dir), target)
    )


def _condition(git_dir: str) -> str:
    escaped = _PARTS.sub(lambda found: "\\" + found[0], git_dir)
    return f"includeIf.gitdir:{escaped}/.path"


def put_back(git_dir: str, kept: Kept, target: str, aside: Path) -> list[str]:
    """Put back what differs from the copy; return the names. What lay there goes to `aside`.

    A link is moved, and never followed: it may point at the user's own files. Raise `GitFailed` or
    `OSError`.
    """
    found = shared.changes(kept.files, shared.read(git_dir), target)
    for change in found:
        name, _, key = change.name.partition(" ")
        if key:
            _set(Path(git_dir, name), key, (shared.settings(kept.files.get(name)) or {}).get(key))
            continue
        _set_aside(git_dir, name, aside)
        if shared.folder_of(name) == name and (change.before is None or not change.before.link):
            for inner, file in kept.files.items():
                if inner != name and shared.folder_of(inner) == name:
                    _replace(Path(git_dir, inner), file)
        else:
            _replace(Path(git_dir, name), change.before)
    return [change.name for change in found]


def _set_aside(git_dir: str, name: str, aside: Path) -> None:
    """Move what lies there, of whatever kind. Raise `OSError`."""
    path = Path(git_dir, name)
    if not os.path.lexists(path):
        return
    try:
        _move(path, aside / name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move(path, Path(git_dir, "callboard-put-aside", name))


def _move(path: Path, wanted: Path) -> None:
    place, number = wanted, 0
    while os.path.lexists(place):
        number += 1
        place = wanted.with_name(f"{wanted.name}.{number}")
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.rename(place)


def _set(path: Path, key: str, values: list[str] | None) -> None:
    file = ("config", "--file", str(path))
    git(*file, "--unset-all", key, at="/", codes=(0, 5))
    for value in values or ():
        git(*file, "--add", key, value, at="/")


def _replace(path: Path, file: File | None) -> None:
    """Write a file, or make a link, where nothing lies. Raise `OSError`."""
    if file is None or (file.trouble and not file.link):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.link:
        path.symlink_to(file.link)
        return
    disk.write_durably(path, file.data)
    path.chmod(0o755 if file.runs else 0o644)


def _hooks(git_dir: str, workdir: str | None) -> tuple[Files, str, str]:
    """Return the hooks that git runs, the name of the copied directory, and their place in it."""
    top, inner = Path(git_dir, "hooks"), ""
    try:
        asked = ("config", "--type=path", "--get", "core.hooksPath")
        said = os.fsdecode(git(*asked, at=workdir or git_dir, hooks=True, codes=(0, 1))).rstrip(
            "\n"
        )
    except GitFailed:
        return {}, "", ""
    if said and Path(said).is_absolute():
        top = Path(said)
    elif said:
        if workdir is None or ".." in Path(said).parts:
            return {}, "", ""
        top = Path(workdir, said)
        if len(Path(said).parts) > 1:
            top, inner = top.parent, top.name
    found = shared.below(top)
    if inner and any(file.trouble for file in found.values()):
        top, inner = top / inner, ""
        found = shared.below(top)
    if any(file.trouble for file in found.values()) or len(found) >= shared.COUNT:
        return {}, "", ""
    return found, top.name or "hooks", inner


def described(changes: Iterable[Change]) -> str:
    """Return the changes as a diff for people: bounded, visible, and without keys and passwords."""
    text = "\n".join(line for change in changes for line in _lines(change))
    text = visible(_LOGIN.sub("//***@", text[: 4 * DIFF]))
    return text if len(text) <= DIFF else f"{text[:DIFF]}\n…"


def _lines(change: Change) -> list[str]:
    found = [f"{change.name}:"]
    for side in (change.before, change.after):
        if side is not None and side.trouble:
            found.append(f"  cannot be read: {side.trouble}")
        if side is not None and side.link:
            found.append(f"  a link to {side.link[:_WIDTH]}")
    if change.before and change.after and change.before.runs != change.after.runs:
        found.append(
            "  it is executable now" if change.after.runs else "  it is not executable now"
        )
    if _HIDDEN.search(change.name):
        return [*found, "  (its value is not shown)"]
    import difflib  # a start shows no difference

    before, after = _text(change.before), _text(change.after)
    for line in difflib.unified_diff(before, after, lineterm="", n=1):
        if not line.startswith(("---", "+++", "@@")):
            found.append(f"  {line[:_WIDTH]}")
    return found


def _text(file: File | None) -> list[str]:
    if file is None:
        return []
    start = file.data[: _LINES * _WIDTH].decode("utf-8", "backslashreplace")
    return start.split("\n")[:_LINES]
