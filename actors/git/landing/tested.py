# ruff: noqa: PTH114, PTH115, PTH208 (names are bytes, as git has them)
"""Make the directory in which the tests run: a clone of its own, with exactly a commit's files.

Agents share the repository. They can change its configuration, `info/attributes`, hooks, replace
refs and registered worktrees. The tests are to see what lands, which is what a fresh clone gets. So
the directory is a repository of its own, which only borrows the objects, and none of these counts
there. What does count:

- the attributes of the commit itself;
- the user's own settings (`git config --global`, `--system`);
- the repository's settings that decide the bytes of a checkout (`converting.CONVERTING`), as they
  were when the plan was submitted. A filter that was not configured then converts nothing.

Then each file is compared with the commit, byte for byte (`Tree`). A file that differs must be one
that git itself has just converted, and that nobody has touched since.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from actors.git.merging.automerge import unattached
from actors.git.reading.commits import tree_of
from actors.git.reading.identity import Identity
from actors.git.running.command import NOT_INSIDE, git
from actors.git.running.converting import CONVERTING, converting, filters_of, matching, no_filters
from actors.git.running.library import pygit2
from actors.git.running.names import shown
from actors.git.trees.worktrees import guard, registered, throw_away
from actors.platform.files import open_regular

_LATER: Final = re.compile(r"remote\..+\.url|lfs\..+")
"""Settings that `setup` and LFS need, and that cannot change the bytes of a checkout: LFS compares
what it fetches with the digest in the commit. They are read when the directory is made; those that
name programs are of the submission (`converting.CONVERTING`)."""
_OURS: Final = ("refs/callboard/", "refs/replace/")
_FOLDING: Final = ("core.ignorecase", "core.precomposeunicode")
_MOST: Final = 20
"""Most files that are named."""


class Tree(msgspec.Struct, frozen=True):
    """The tests' directory has exactly the files of `tree`, a git tree.

    `converted` are the files (at most 20) whose bytes on disk are not those in the commit, because
    a filter or a line-end setting wrote them; `filters` are the names of these filters.
    """

    tree: str
    converted: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()


class Differs(msgspec.Struct, frozen=True):
    """The files (at most 20) that are not as the commit has them; somebody else writes there."""

    files: tuple[str, ...]


def checkout_tree(
    git_dir: str,
    home: str,
    path: str,
    oid: str,
    settings: Mapping[str, str] | None = None,
    author: Identity | None = None,
) -> Tree | Differs:
    """Make the tests' directory at `path`, with exactly the files of commit `oid` (hazard 45).

    Whatever is at `path` is removed. `settings` are those that `converting` returned when the plan
    was submitted; None takes the present ones. `author` is the identity with which tests commit.
    """
    clear(git_dir, home, path)
    _clone(git_dir, path, oid, converting(git_dir) if settings is None else settings, author)
    scratch = ("-c", "core.fsync=none", "-c", "core.splitIndex=false")
    git(*scratch, "read-tree", "--reset", "-u", oid, at=path)  # filters run here, and may hang
    return _compared(git_dir, path, oid)


def clear(git_dir: str, home: str, path: str) -> None:
    """Remove the tests' directory with all its files, and what else lies in its place."""
    if os.path.islink(path):
        Path(path).unlink()
    guard(git_dir, home, path)
    throw_away(git_dir, path, registered(git_dir, path))


def _clone(
    git_dir: str, path: str, oid: str, settings: Mapping[str, str], author: Identity | None
) -> None:
    """Make a repository at `path` that borrows the objects of `git_dir` and has its refs."""
    Path(path).mkdir(parents=True)
    formats = ("-c", "init.defaultRefFormat=files", "-c", "init.defaultObjectFormat=sha1")
    git(*formats, "init", "-q", "--template=", path, at=path)
    own = Path(path, ".git")
    alternates = own / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_bytes(os.fsencode(Path(git_dir, "objects")) + b"\n")
    listed = git("for-each-ref", "--format=%(objectname) %(refname)", at=git_dir)
    refs = [line for line in listed.splitlines() if not _is_ours(line)]
    (own / "packed-refs").write_bytes(b"".join(line + b"\n" for line in refs))
    shallow = Path(git_dir, "shallow")
    if shallow.is_file():
        shutil.copyfile(shallow, own / "shallow")
    (own / "HEAD").write_text(f"{oid}\n")
    _configure(git_dir, own, settings, author)


def _is_ours(line: bytes) -> bool:
    return os.fsdecode(line).partition(" ")[2].startswith(_OURS)


def _configure(
    git_dir: str, own: Path, settings: Mapping[str, str], author: Identity | None
) -> None:
    config = pygit2.Config(str(own / "config"))
    later = {k: v for k, v in matching(git_dir, _LATER).items() if not CONVERTING.fullmatch(k)}
    values = {**settings, **later, "lfs.storage": str(Path(git_dir, "lfs"))}
    values |= no_filters(filters_of(converting(str(own.parent))) - filters_of(settings))
    if author is not None:
        values |= {"user.name": author.name, "user.email": author.email}
    for key, value in values.items():
        config[key] = value or ("true" if key.startswith("core.") else "")


def _compared(git_dir: str, path: str, oid: str) -> Tree | Differs:
    """Compare the directory with the commit.

    libgit2 reads the objects, because it compares each with its name.
    """
    repo = unattached(git_dir)
    tree = tree_of(repo, oid)
    config = pygit2.Config(str(Path(path, ".git", "config")))
    folds = any(key in config and config.get_bool(key) for key in _FOLDING)
    strange, differing = _compare(repo, tree, os.fsencode(path), folds)
    names = sorted(differing)
    if names:
        output = git("diff-files", "--name-only", "-z", NOT_INSIDE, at=path)
        touched = set(output.split(b"\0"))  # since git wrote them
        strange += [name for name in names if name in touched]
    if strange:
        return Differs(tuple(_shown(name) for name in sorted(strange)[:_MOST]))
    converted = tuple(_shown(name) for name in names[:_MOST])
    return Tree(str(tree.id), converted, _filters_of(path, names))


def _compare(
    repo: pygit2.Repository, tree: pygit2.Tree, root: bytes, folds: bool
) -> tuple[list[bytes], set[bytes]]:
    """Return the files that are missing or too many, and those whose bytes or kind differ.

    `folds`: the file system does not keep the spelling of names, so that one cannot find a file too
    many.
    """
    strange: list[bytes] = []
    differing: set[bytes] = set()
    waiting = [(b"", tree.id)]
    while waiting:  # no recursion: an agent decides how deep directories are
        prefix, id = waiting.pop()
        there = {entry.name for entry in os.scandir(root + b"/" + prefix)}
        if not prefix:
            there.discard(b".git")
        for entry in repo[id].peel(pygit2.Tree):
            name = entry.raw_name or b""
            path = prefix + name
            if name not in there and not (folds and os.path.lexists(root + b"/" + path)):
                strange.append(path)
                continue
            there.discard(name)
            if entry.filemode == pygit2.enums.FileMode.TREE and _is_directory(root + b"/" + path):
                waiting.append((path + b"/", entry.id))
            elif not _is_same(root + b"/" + path, entry):
                differing.add(path)
        strange += [prefix + name for name in there if not folds]
    return strange, differing


def _is_directory(path: bytes) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)


def _is_same(path: bytes, entry: pygit2.Object) -> bool:
    """Return whether a file on disk has the kind and the exact bytes of an entry of a git tree."""
    found = os.lstat(path)
    if entry.filemode == pygit2.enums.FileMode.COMMIT:
        return stat.S_ISDIR(found.st_mode) and not os.listdir(path)
    if entry.filemode == pygit2.enums.FileMode.LINK:
        return stat.S_ISLNK(found.st_mode) and _blob_id([os.readlink(path)]) == str(entry.id)
    if not stat.S_ISREG(found.st_mode) or not stat.S_ISREG(entry.filemode):
        return False
    is_program = bool(found.st_mode & stat.S_IXUSR)
    if is_program != (entry.filemode == pygit2.enums.FileMode.BLOB_EXECUTABLE):
        return False
    return _blob_id(_blocks(path), found.st_size) == str(entry.id)


def _blocks(path: bytes) -> Iterator[bytes]:
    with os.fdopen(open_regular(os.fsdecode(path), follow=False), "rb") as file:
        while block := file.read(1 << 20):
            yield block


def _blob_id(blocks: Iterator[bytes] | list[bytes], size: int | None = None) -> str:
    if size is None:
        blocks = list(blocks)
        size = sum(map(len, blocks))
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _filters_of(path: str, names: list[bytes]) -> tuple[str, ...]:
    """Return the names of the filters that the attributes of these files name."""
    if not names:
        return ()
    stdin = b"".join(name + b"\0" for name in names)
    found = git("check-attr", "-z", "--stdin", "filter", at=path, stdin=stdin).split(b"\0")
    values = {os.fsdecode(value) for value in found[2::3]}
    return tuple(sorted(values - {"unspecified", "unset", "set", ""}))


def _shown(name: bytes) -> str:
    return shown(os.fsdecode(name))
