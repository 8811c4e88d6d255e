"""The files in conflict of a merge, and the kinds of conflict."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from actors.git.reading.commits import tree_of
from actors.git.reading.graph import merge_base
from actors.git.running.library import pygit2
from actors.git.running.names import shown


class Kind(StrEnum):
    """What the two sides of a merge did to a file."""

    BOTH_MODIFIED = "both_modified"
    BOTH_ADDED = "both_added"
    DELETED_BY_US = "deleted_by_us"
    """The side merged into (target and earlier branches) deleted a file that the branch changed."""
    DELETED_BY_THEM = "deleted_by_them"
    """The branch deleted a file that the other side changed."""
    RENAMED = "renamed"
    """The file has different names on the sides, because one or both renamed it."""
    BINARY = "binary"
    """Both sides changed a file that is not text."""
    SUBMODULE = "submodule"


class ConflictFile(msgspec.Struct, frozen=True):
    """One file in conflict.

    `paths` has all its names, several if the sides have different ones. The names are for people
    (`names.shown`).
    """

    path: str
    kind: Kind
    paths: tuple[str, ...]


def conflict_files(index: pygit2.Index) -> tuple[ConflictFile, ...]:
    """Return the conflicts of a merge made in memory, sorted by path."""
    found: pygit2.index.ConflictCollection | None = index.conflicts
    files = [_file(*entry) for entry in found or ()]
    return tuple(sorted(files, key=lambda file: file.path))


def touched_paths(repo: pygit2.Repository, base: str, tip: str) -> set[str]:
    """Return the paths, old and new, that `tip` changed since its merge base with `base`."""
    start = merge_base(repo, base, tip)
    if start is None:
        return set()
    diff = tree_of(repo, start).diff_to_tree(tree_of(repo, tip))
    return {path for delta in diff.deltas for path in (delta.old_file.path, delta.new_file.path)}


def kind_of(stages: set[int], *, names: int, is_submodule: bool) -> Kind:
    """Return the kind of a conflict.

    `stages` are the file's stages in the index: 1 is the merge base, 2 the side merged into, 3 the
    branch. `names` is how many names the file has on the sides.
    """
    if is_submodule:
        return Kind.SUBMODULE
    if names > 1:
        return Kind.RENAMED
    match sorted(stages):
        case [1, 2, 3]:
            return Kind.BOTH_MODIFIED
        case [2, 3]:
            return Kind.BOTH_ADDED
        case [1, 3]:
            return Kind.DELETED_BY_US
        case [1, 2]:
            return Kind.DELETED_BY_THEM
        case _:
            return Kind.RENAMED  # one name of a file that each side renamed differently


def _file(
    ancestor: pygit2.IndexEntry | None,
    ours: pygit2.IndexEntry | None,
    theirs: pygit2.IndexEntry | None,
) -> ConflictFile:
    entries = [entry for entry in (ours, theirs, ancestor) if entry is not None]
    paths = tuple(dict.fromkeys(shown(str(entry.path)) for entry in entries))
    stages = {n for n, entry in enumerate((ancestor, ours, theirs), 1) if entry is not None}
    links = any(
        entry is not None and entry.mode == pygit2.enums.FileMode.COMMIT for entry in (ours, theirs)
    )
    return ConflictFile(paths[0], kind_of(stages, names=len(paths), is_submodule=links), paths)
