"""Keep the state of a worktree, uncommitted work included, under `refs/callboard/`.

The worktree and its index are not changed. The changes are staged in a copy of the index: the copy
keeps the file stats, so only changed files are read.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import msgspec

from actors.git.reading.commits import read
from actors.git.reading.graph import descends
from actors.git.reading.refs import read_ref
from actors.git.running.command import git, git_line
from actors.git.running.durable import settle
from actors.git.running.library import opened, pygit2
from actors.git.running.places import Within
from actors.git.running.stale import release
from actors.git.trees.reach import Unseen, for_writing
from actors.platform.files import open_regular, read_line

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Callboard",
    "GIT_AUTHOR_EMAIL": "callboard@localhost",
    "GIT_COMMITTER_NAME": "Callboard",
    "GIT_COMMITTER_EMAIL": "callboard@localhost",
}


class Pin(msgspec.Struct, frozen=True):
    """Where the state of a worktree is kept."""

    ref: str
    oid: str
    unpinned: tuple[str, ...]
    """Directories that are repositories of their own: the pin keeps only the id of their HEAD."""


def pin(git_dir: str, worktree: str, name: str, unseen: Unseen = None) -> Pin:
    """Write the state of `worktree` as a commit to `refs/callboard/NAME`.

    The commit's tree has every changed and untracked (not ignored) file as it is on disk, conflict
    markers included. Its parents are HEAD and the commits being merged. With nothing uncommitted
    the pin is HEAD itself. An older pin of that name stays reachable as a further parent.

    The repository is believed, and not the worktree's `.git`. With `unseen`, git runs in a sandbox.

    The pin is durable on return. Hooks do not run. Raise `GitFailed` when a file cannot be read,
    `OSError` when the repository knows no such worktree; then nothing is pinned.
    """
    ref = f"refs/callboard/{name}"
    within = for_writing(git_dir, worktree, unseen)
    admin = within.admin(worktree)
    head = os.fsdecode(git("rev-parse", "HEAD", at=worktree, within=within)).strip()
    tree = _tree_of(worktree, within, admin)
    unpinned = _nested(git_dir, worktree, tree)
    parents = [head, *_merge_heads(admin)]
    older = read_ref(git_dir, ref)
    repo = opened(git_dir)
    if len(parents) == 1 and tree == git_line("rev-parse", f"{head}^{{tree}}", at=git_dir):
        oid = head
    elif older is not None and _says(repo, older, tree, parents):
        oid = older
    else:
        oid = _commit(git_dir, worktree, tree, parents)
    if older is not None and not _reaches(repo, oid, older):
        oid = _commit(git_dir, worktree, tree, [*parents, older])
    if oid != older:
        release(git_dir, ref)
        message = "callboard: pin"
        git("update-ref", "-m", message, ref, oid, older or "0" * 40, at=git_dir)
    settle(git_dir)
    return Pin(ref, oid, unpinned)


def _tree_of(worktree: str, within: Within, admin: Path) -> str:
    index = admin / "index"
    with tempfile.TemporaryDirectory(dir=admin, prefix="callboard-pin-") as scratch:
        copy = Path(scratch, "index")
        if index.exists():
            _copy(index, copy)
        _add_all(worktree, within, copy)
        env = {"GIT_INDEX_FILE": str(copy)}
        said = git("write-tree", at=worktree, env=env, within=within)
    return os.fsdecode(said).strip()


def _copy(index: Path, copy: Path) -> None:
    """Copy an index with its time, by which git knows files that may have changed since."""
    fd = open_regular(index)
    with os.fdopen(fd, "rb") as source, copy.open("wb") as goal:
        shutil.copyfileobj(source, goal)
        found = os.fstat(fd)
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))


def _add_all(worktree: str, within: Within, index: Path) -> None:
    """Stage all changes as `git add -A` does, but run no filters of nested repositories."""
    env = {"GIT_INDEX_FILE": str(index)}
    asked = ("ls-files", "-z", "-m", "-d", "-o", "--exclude-standard")
    listed = git(*asked, at=worktree, env=env, within=within)
    names = sorted({name.rstrip(b"/") for name in listed.split(b"\0") if name})
    stdin = b"".join(name + b"\0" for name in names)
    put = ("update-index", "--add", "--remove", "-z", "--stdin")
    git(*put, at=worktree, env=env, stdin=stdin, within=within)


def _nested(git_dir: str, worktree: str, tree: str) -> tuple[str, ...]:
    """Return the nested repositories, whose own state the pin does not keep."""
    links = [
        line.split("\t", 1)[1]
        for line in os.fsdecode(git("ls-tree", "-r", "-z", tree, at=git_dir)).split("\0")
        if line.startswith("160000")
    ]
    return tuple(link for link in links if Path(worktree, link, ".git").exists())


def _merge_heads(admin: Path) -> list[str]:
    try:
        return read_line(admin / "MERGE_HEAD").split()
    except FileNotFoundError:
        return []


def _says(repo: pygit2.Repository, oid: str, tree: str, parents: list[str]) -> bool:
    """Return whether `oid` is a pin of exactly this state, made by an earlier call."""
    commit = read(repo, oid)
    if commit is None:
        return False
    return commit.tree == tree and list(commit.parents[: len(parents)]) == parents


def _reaches(repo: pygit2.Repository, oid: str, older: str) -> bool:
    return descends(repo, older, oid)


def _commit(git_dir: str, worktree: str, tree: str, parents: list[str]) -> str:
    stamp = f"{int(time.time())} +0000"
    env = {**_IDENTITY, "GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    options = [option for parent in parents for option in ("-p", parent)]
    message = f"State of {Path(worktree).name}, uncommitted work included"
    return git_line("commit-tree", tree, *options, "-m", message, at=git_dir, env=env)
