"""Keep what `setup` made in a worktree, and put it into other worktrees instead of a new run.

`setup_inputs` of the plan names the files on which `setup` depends. Trees in which these files, the
command and the `PATH` are the same get the same result. Without `setup_inputs`, `setup` runs in
each tree.

Agents must not be able to change what others' tests see:

- A result is kept only from a tree that is the target's, before an agent works in it.
- Its record has a digest of each file, and a code that is made with the home's secret. A result
  that does not agree with its record is thrown away.
- An agent's tree gets copies. Only the tests' tree may get hard links.

A result that names its own directory (as a Python environment does) is put only there. What `setup`
changes in tracked files cannot be kept, and neither can a name that is not UTF-8, nor a socket.
"""

import contextlib
import errno
import fcntl
import hashlib
import hmac
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from actors.git.reading.changes import changed
from actors.git.reading.graph import descends
from actors.git.reading.refs import HEADS, read_ref
from actors.git.running.command import git, split0
from actors.git.running.converting import as_submitted
from actors.git.running.library import opened
from actors.git.running.places import Within, place_within
from actors.git.trees.copies import to_copy
from actors.git.trees.reach import Unseen, for_reading
from bus.environment import with_plans
from bus.plan import Plan

NEWEST: Final = 4
"""How many results a home keeps."""
_FICLONE: Final = 0x40049409
"""Linux: share the blocks of a file until one of the two is written (Btrfs, XFS)."""
_BLOCK: Final = 1 << 20
_NO_CLONE: Final = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS}
_NO_LINK: Final = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the result of a plan's `setup`, and where results are kept."""

    store: str
    secret: str
    """The key of the codes in the records; only the home's database has it."""
    git_dir: str
    repo: str
    target: str
    setup: list[str]
    inputs: list[str]
    copied: list[str]
    """Patterns of the files that the plan copies; they are in no result."""
    path: str
    """`PATH`, in which the program of `setup` is found."""
    unseen: Unseen = None
    """For our git in the worktrees in which `setup` runs."""
    settings: dict[str, str] | None = None
    """The git settings of the submission (`converting.as_submitted`)."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One file, directory or symbolic link of a result.

    `content` is the digest of a file or the text of a link; directories have none.
    """

    name: str
    mode: int
    content: str


class Record(msgspec.Struct, frozen=True):
    """The content of a result. `place` is the only directory for it; "" is any."""

    key: str
    place: str
    entries: list[Entry]


_decode_record = msgspec.json.Decoder(Record).decode


class _Unfit(Exception):
    """A result cannot be kept, or does not agree with its record."""


def recipe(
    home: Path,
    secret: str,
    git_dir: str,
    plan: Plan,
    unseen: Unseen = None,
    settings: dict[str, str] | None = None,
) -> Recipe | None:
    """Return the recipe of a plan; None if its `setup` is to run in each tree."""
    if not plan.setup or not plan.setup_inputs:
        return None
    return Recipe(
        store=str(home / "setups"),
        secret=secret,
        git_dir=git_dir,
        repo=plan.repo,
        target=plan.target,
        setup=plan.setup,
        inputs=plan.setup_inputs,
        copied=plan.copy,
        path=with_plans(plan.environment).get("PATH", ""),
        unseen=unseen,
        settings=settings,
    )


def keep(recipe: Recipe, worktree: str) -> bool:
    """Keep what `setup` has just made in a worktree. Return whether it could be kept.

    Raises `OSError` or `GitFailed`.
    """
    key = _key(recipe, worktree)
    within = for_reading(recipe.git_dir, worktree, recipe.unseen)
    if not key or not _is_of_target(recipe, worktree, within):
        return False
    with as_submitted(recipe.git_dir, recipe.settings, worktree):
        if any(changed(worktree, within=within)):
            return False
    store = Path(recipe.store)
    store.mkdir(mode=0o700, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=store))
    try:
        entries, named = _take(worktree, aside / "files", _made(recipe, worktree, within))
        record = Record(key, worktree if named else "", entries)
        data = msgspec.json.encode(record)
        (aside / "record").write_bytes(_code(recipe, data) + data)
        with contextlib.suppress(OSError):  # another run has just kept the same
            aside.rename(store / _name(key, record.place))
    except _Unfit:
        return False
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _forget_old(store)
    return True


def fill(recipe: Recipe, worktree: str, *, links: bool = False) -> bool:
    """Put the kept result into a worktree. Return False if there is none; then nothing has changed.

    `links` allows hard links: whoever writes into such a file in place changes the kept one, which
    is then thrown away before its next use. Raises `OSError` or `GitFailed`.
    """
    key = _key(recipe, worktree)
    for place in ("", worktree) if key else ():
        kept = Path(recipe.store, _name(key, place))
        try:
            record = _read(recipe, kept)
        except FileNotFoundError:
            continue
        except (_Unfit, OSError, msgspec.DecodeError):
            shutil.rmtree(kept, ignore_errors=True)
            continue
        if (record.key, record.place) == (key, place) and _put(kept, record, worktree, links):
            with contextlib.suppress(OSError):
                os.utime(kept / "record")  # it is the newest now
            return True
    return False


def _key(recipe: Recipe, worktree: str) -> str:
    """Return the name of what `setup` depends on; "" if a pattern of the inputs matches no file."""
    place = place_within(recipe.repo)
    root = Path(worktree, place)
    digests = []
    for pattern in recipe.inputs:
        names = to_copy(root, [pattern])
        if not names:
            return ""
        digests += [(str(name), _digest(root / name)) for name in names]
    program = shutil.which(recipe.setup[0], path=recipe.path) or ""
    parts = [recipe.git_dir, str(place), recipe.setup, recipe.path, os.path.realpath(program)]
    return hashlib.sha256(msgspec.json.encode([parts, sorted(digests)])).hexdigest()[:32]


def _is_of_target(recipe: Recipe, worktree: str, within: Within) -> bool:
    head = os.fsdecode(git("rev-parse", "HEAD", at=worktree, within=within)).strip()
    tip = read_ref(recipe.git_dir, HEADS + recipe.target) or ""
    return descends(opened(recipe.git_dir), head, tip)


def _made(recipe: Recipe, worktree: str, within: Within) -> list[str]:
    """Return the untracked files and directories of a worktree, without those copied into it."""
    asked = ("ls-files", "--others", "--directory", "-z")
    found = split0(git(*asked, at=worktree, within=within))
    place = place_within(recipe.repo)
    copied = {str(place / name) for name in to_copy(Path(recipe.repo), recipe.copied)}
    return [
        name for top in found for name in _below(worktree, top.rstrip("/")) if name not in copied
    ]


def _below(root: str, top: str) -> Iterator[str]:
    """Yield a name and all names below it, directories first."""
    waiting = [top]
    while waiting:
        name = waiting.pop()
        yield name
        path = Path(root, name)
        if path.is_dir() and not path.is_symlink():
            waiting += [f"{name}/{each.name}" for each in path.iterdir()]


def _take(worktree: str, goal: Path, names: list[str]) -> tuple[list[Entry], bool]:
    """Copy files out of a worktree. Return their entries, and whether one names the worktree."""
    goal.mkdir()
    mark = os.fsencode(worktree)
    entries, named = [], False
    for name in names:
        if not _is_text(name):
            raise _Unfit(name)
        source, copy = Path(worktree, name), goal / name
        mode = source.lstat().st_mode
        content = ""
        copy.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISLNK(mode):
            content = os.readlink(source)  # noqa: PTH115 (the text as it is)
            named = named or worktree in content
            if not _is_text(content):
                raise _Unfit(name)
        elif stat.S_ISREG(mode):
            _give(source, copy, links=False)
            content, has = _scanned(copy, mark)
            named = named or has
        elif stat.S_ISDIR(mode):
            copy.mkdir(exist_ok=True)
        else:
            raise _Unfit(name)
        entries.append(Entry(name, mode, content))
    return entries, named


def _put(kept: Path, record: Record, worktree: str, links: bool) -> bool:
    """Put a result into a worktree, or take back what was put. What is there already stays."""
    made: list[tuple[Path, int]] = []
    root = Path(worktree).resolve()
    try:
        for entry in record.entries:
            goal = root / entry.name
            if goal.parent.resolve() != goal.parent:
                raise OSError(errno.ELOOP, "a link of the repository leads elsewhere", str(goal))
            if not os.path.lexists(goal):
                made.append((goal, entry.mode))
                _put_one(kept / "files" / entry.name, goal, entry, links)
    except (_Unfit, OSError) as error:
        for path, mode in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir() if stat.S_ISDIR(mode) else path.unlink()
        if isinstance(error, _Unfit):
            shutil.rmtree(kept, ignore_errors=True)
        return False
    for path, mode in reversed(made):
        if stat.S_ISDIR(mode):
            path.chmod(stat.S_IMODE(mode))  # last: it may forbid writing
    return True


def _put_one(source: Path, goal: Path, entry: Entry, links: bool) -> None:
    if stat.S_ISDIR(entry.mode):
        goal.mkdir()
    elif stat.S_ISLNK(entry.mode):
        goal.symlink_to(entry.content)
    else:
        _give(source, goal, links)
        if _digest(goal) != entry.content or goal.stat().st_mode != entry.mode:
            raise _Unfit(entry.name)


def _give(source: Path, goal: Path, links: bool) -> None:
    """Make `goal` a file with the content of `source`: by shared blocks, a hard link, or a copy."""
    if _clone(source, goal):
        shutil.copystat(source, goal)
    elif not (links and _link(source, goal)):
        shutil.copy2(source, goal)


def _link(source: Path, goal: Path) -> bool:
    try:
        goal.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def _clone(source: Path, goal: Path) -> bool:
    """Make `goal` share the blocks of `source`. Return False if the file system has no such thing.

    Then there is no `goal`.
    """
    with source.open("rb") as old, goal.open("xb") as new:
        try:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
        except OSError as error:
            if error.errno not in _NO_CLONE:
                raise
        else:
            return True
    goal.unlink()
    return False


def _digest(path: Path) -> str:
    return _scanned(path, b"\0no such text")[0]


def _scanned(path: Path, mark: bytes) -> tuple[str, bool]:
    """Return the digest of a file, and whether `mark` is in it."""
    digest, found, tail = hashlib.sha256(), False, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            found = found or mark in tail + block
            tail = block[-len(mark) :]
    return digest.hexdigest(), found


def _read(recipe: Recipe, kept: Path) -> Record:
    data = (kept / "record").read_bytes()
    code, body = data[:64], data[64:]
    if not hmac.compare_digest(code, _code(recipe, body)):
        raise _Unfit("record")
    return _decode_record(body)


def _code(recipe: Recipe, data: bytes) -> bytes:
    return hmac.new(recipe.secret.encode(), data, hashlib.sha256).hexdigest().encode()


def _name(key: str, place: str) -> str:
    return key + (f"-{hashlib.sha256(os.fsencode(place)).hexdigest()[:16]}" if place else "")


def _is_text(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _forget_old(store: Path) -> None:
    def used(path: Path) -> float:
        try:
            return (path / "record").stat().st_mtime
        except OSError:
            return 0.0

    kept = [path for path in store.iterdir() if not path.name.startswith(".new-")]
    for path in sorted(kept, key=used, reverse=True)[NEWEST:]:
        shutil.rmtree(path, ignore_errors=True)
