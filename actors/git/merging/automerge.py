"""Merge two commits as git does, in memory; the result is a tree and the files in conflict.

`git merge-tree --write-tree` merges as `git merge` does, but without a checkout. It follows renames
of directories and honours attributes, merge drivers and the user's settings (hazard 74). Where none
of these can count, the trees are merged without a process (`apart`). A git
older than 2.38 does not have `merge-tree --write-tree`. Then libgit2 merges, without all this.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from actors.git.merging.apart import Apart
from actors.git.merging.attributes import Attributes
from actors.git.merging.conflicts import ConflictFile, Kind, conflict_files, kind_of
from actors.git.merging.room import room
from actors.git.reading.graph import Contents
from actors.git.running.command import git_line
from actors.git.running.library import pygit2
from actors.git.running.names import shown

_ENOUGH: Final = (2, 38)
_RENAME: Final = re.compile(r"CONFLICT \(.*(rename|file/directory|location)")
_DRIVER_FAILED: Final = "(?i)failed to execute internal merge|failure to merge"
_AT_LEAST: Final = 0.5
"""Seconds that a merge may take even if the others have used up the time."""
_WORDS: Final = 500
_BINARY: Final = "CONFLICT (binary)"
_SUBMODULE: Final = "160000"


class Merged(msgspec.Struct, frozen=True):
    """The result of a merge."""

    tree: str
    """The object id of the tree. Files in conflict are missing or have conflict markers."""
    conflicts: tuple[ConflictFile, ...]
    paths: frozenset[str]
    """All names of the files in conflict, as `os.fsdecode` reads them."""
    said: str = ""
    """What a merge driver wrote to its standard error, at most 500 characters."""


@cache
def is_able() -> bool:
    """Return whether this `git` has `merge-tree --write-tree`."""
    found = re.search(r"(\d+)\.(\d+)", git_line("--version", at="/"))
    return found is not None and (int(found[1]), int(found[2])) >= _ENOUGH


def unattached(git_dir: str) -> pygit2.Repository:
    """Open only the objects of a repository, so that libgit2 can merge in it.

    In a whole repository, libgit2 reads the index of the user's checkout before it merges, and
    fails if the index has a format that it does not know (split, sparse).
    """
    repo = pygit2.Repository()
    repo.set_odb(pygit2.Odb(str(Path(git_dir, "objects"))))
    return repo


class Automerge:
    """The merges of one repository. For one thread."""

    def __init__(
        self,
        repo: pygit2.Repository,
        git_dir: str,
        *,
        runs_drivers: bool = True,
        seconds: float | None = None,
    ) -> None:
        """Run merge drivers only with `runs_drivers`; without it, each keeps the side `onto`.

        All merges together may take `seconds`; without it, each may take as long as any git.
        """
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._repo = repo
        self._git_dir = git_dir
        self._runs_drivers = runs_drivers
        self._apart = Apart(repo)
        self._attributes = Attributes(repo)

    def merge(self, onto: str, tip: str, contents: Contents | None = None) -> Merged:
        """Merge `tip` into `onto`; they must have a merge base.

        `contents` is what `onto` contains, if that is known.
        Raise `GitRefused` if a merge driver failed, `DriverLate` if one took too long, and
        `GitUnknown` if git cannot for another reason.
        """
        fork = (contents or Contents(self._repo, onto)).fork(tip)
        tree = self._apart.merge(fork, onto, tip) if fork is not None else None
        if tree is not None:
            return Merged(tree, (), frozenset())
        if not is_able():
            return self._by_library(onto, tip)
        options = ("--write-tree", "-z", "--messages")
        with room(self._git_dir, self._attributes, onto, self._runs_drivers) as made:
            output, said = made.git_and_words(
                *("merge-tree", *options, onto, tip),
                codes=(0, 1),
                refusals=_DRIVER_FAILED,
                seconds=self._seconds_left(),
            )
        parts = [os.fsdecode(part) for part in output.split(b"\0")]
        stages = list(_stages(parts))
        conflicts = _conflicts(stages, list(_messages(parts[2 + len(stages) :])))
        paths = frozenset(path for path, _, _ in stages)
        words = shown(said.strip()[:_WORDS]) if made.runs_drivers and conflicts else ""
        return Merged(parts[0], conflicts, paths, words)

    def _seconds_left(self) -> float | None:
        if self._deadline is None:
            return None
        return max(_AT_LEAST, round(self._deadline - time.monotonic(), 1))

    def _by_library(self, onto: str, tip: str) -> Merged:
        index = unattached(self._git_dir).merge_commits(onto, tip)
        files = conflict_files(index)
        paths = {str(entry.path) for entries in index.conflicts or () for entry in entries if entry}
        for path in paths if files else ():
            del index.conflicts[path]
        return Merged(str(index.write_tree(self._repo)), files, frozenset(paths))


Stage = tuple[str, int, bool]
"""Path, stage (1 merge base, 2 side merged into, 3 branch), whether it is a submodule."""


def _stages(parts: list[str]) -> Iterator[Stage]:
    for part in parts[1:]:
        if not part:
            return
        info, _, path = part.partition("\t")
        mode, _, stage = info.split(" ")
        yield path, int(stage), mode == _SUBMODULE


def _messages(parts: list[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the paths and the kind of each message."""
    rest = iter(parts)
    for count in rest:
        if not count:
            return
        paths = tuple(next(rest) for _ in range(int(count)))
        kind = next(rest)
        next(rest)
        yield paths, kind


def _conflicts(
    stages: list[Stage], messages: list[tuple[tuple[str, ...], str]]
) -> tuple[ConflictFile, ...]:
    """Return one entry for each file; all names of a renamed file make one entry."""
    names = {path: [path] for path, _, _ in stages}
    for paths, kind in messages:
        known = [path for path in paths if path in names]
        if _RENAME.match(kind) and known:
            together = [path for each in known for path in names[each]]
            together += [path for path in paths if path not in together]
            for path in known:
                names[path] = together
    files = {tuple(dict.fromkeys(paths)): kind_of_stages(paths, stages) for paths in names.values()}
    binary = {path for paths, kind in messages if kind == _BINARY for path in paths}
    return tuple(
        sorted(
            (
                ConflictFile(
                    shown(paths[0]),
                    Kind.BINARY if paths[0] in binary else kind,
                    tuple(shown(path) for path in paths),
                )
                for paths, kind in files.items()
            ),
            key=lambda file: file.path,
        )
    )


def kind_of_stages(paths: list[str], stages: list[Stage]) -> Kind:
    """Return the kind of the conflict of one file, which has the names `paths`."""
    mine = [(stage, is_submodule) for path, stage, is_submodule in stages if path in paths]
    return kind_of(
        {stage for stage, _ in mine},
        names=len(paths),
        is_submodule=any(is_submodule for stage, is_submodule in mine if stage > 1),
    )
