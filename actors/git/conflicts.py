"""Files in conflict: which, and what kind."""

from enum import StrEnum

import msgspec
import pygit2
from pygit2.enums import FileMode
from pygit2.index import ConflictCollection

from actors.git.graph import merge_base
from actors.git.names import shown


class Kind(StrEnum):
    """How two sides came to disagree about a file."""

    BOTH_MODIFIED = "both_modified"
    BOTH_ADDED = "both_added"
    DELETED_BY_US = "deleted_by_us"
    """The side merged into (target and earlier branches) deleted what the branch changed."""
    DELETED_BY_THEM = "deleted_by_them"
    """The branch deleted what the other side changed."""
    RENAMED = "renamed"
    """Renamed on one or both sides to names that do not fit together."""
    BINARY = "binary"
    """Both changed a file that is not text."""
    SUBMODULE = "submodule"


class ConflictFile(msgspec.Struct, frozen=True):
    """One file.

    `paths` has further names when the sides know it by different ones. The names are for people
    (`names.shown`).
    """

    path: str
    kind: Kind
    paths: tuple[str, ...]


def conflict_files(index: pygit2.Index) -> tuple[ConflictFile, ...]:
    """The conflicts of a merge that was done in memory, sorted by path."""
    found: ConflictCollection | None = index.conflicts
    files = [_file(*entry) for entry in found or ()]
    return tuple(sorted(files, key=lambda file: file.path))


def touched_paths(repo: pygit2.Repository, base: str, tip: str) -> set[str]:
    """The paths that `tip` changed since it parted from `base`; both names of a rename."""
    start = merge_base(repo, base, tip)
    if start is None:
        return set()
    diff = repo[start].peel(pygit2.Tree).diff_to_tree(repo[tip].peel(pygit2.Tree))
    return {path for delta in diff.deltas for path in (delta.old_file.path, delta.new_file.path)}


def kind_of(stages: set[int], *, names: int, is_submodule: bool) -> Kind:
    """Tell the kind by the stages that a file has (1 where they parted, 2 merged into, 3 the
    branch), over the number of names that the sides know it by.
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
            return Kind.RENAMED  # one half of a rename that went two ways


def _file(
    ancestor: pygit2.IndexEntry | None,
    ours: pygit2.IndexEntry | None,
    theirs: pygit2.IndexEntry | None,
) -> ConflictFile:
    entries = [entry for entry in (ours, theirs, ancestor) if entry is not None]
    paths = tuple(dict.fromkeys(shown(str(entry.path)) for entry in entries))
    stages = {n for n, entry in enumerate((ancestor, ours, theirs), 1) if entry is not None}
    links = any(entry is not None and entry.mode == FileMode.COMMIT for entry in (ours, theirs))
    return ConflictFile(paths[0], kind_of(stages, names=len(paths), is_submodule=links), paths)
