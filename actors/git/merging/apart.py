"""Merge two commits that changed different files, from their trees alone.

Where only one side changed a file, every merge takes that side: no attribute, driver or setting
counts. So the result is what git makes, without a program that git would have to start for it.
All else is left to git: a file that both sides changed, a file that became a directory, and
whatever can be a rename, which is a side that both adds and removes.
"""

import re

import pygit2
from pygit2.enums import ObjectType

Entry = tuple[bytes, bytes]
"""The mode and the object id of one name in a tree, as git writes them."""
_TREE = b"40000"
_OID_BYTES = 20
_ENTRY = re.compile(rb"(\d+) ([^\0]+)\0(.{20})", re.DOTALL)


class _GitsWork(Exception):
    """The trees alone do not say what the merge is."""


def merged_apart(repo: pygit2.Repository, fork: str, onto: str, tip: str) -> str | None:
    """Return the tree of the merge of `tip` into `onto`, or None if git has to make it.

    `fork` is the only best common ancestor of both (`graph.Contents.fork`). Objects are written,
    but not synced.
    """
    try:
        trees = (bytes.fromhex(str(_commit(repo, oid).tree_id)) for oid in (fork, onto, tip))
        return _Merging(repo).tree(*trees).hex()
    except (_GitsWork, pygit2.GitError, KeyError, ValueError, RecursionError):
        return None


def _commit(repo: pygit2.Repository, oid: str) -> pygit2.Commit:
    found = repo[oid]
    if not isinstance(found, pygit2.Commit):
        raise _GitsWork
    return found


class _Merging:
    """One merge. It notes which side adds and which removes."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo
        self._adds: set[int] = set()
        self._removes: set[int] = set()

    def tree(self, base: bytes, ours: bytes, theirs: bytes) -> bytes:
        """Return the id of the merged tree. Raises `_GitsWork`."""
        olds, mine, others = (self._entries(oid) for oid in (base, ours, theirs))
        changed = (mine.items() ^ olds.items()) | (others.items() ^ olds.items())
        merged = dict(mine)
        for name in {name for name, _ in changed}:
            found = self._entry(olds.get(name), mine.get(name), others.get(name))
            if found is None:
                merged.pop(name, None)
            else:
                merged[name] = found
        if merged == mine:
            return ours
        return theirs if merged == others else self._written(merged)

    def _entry(self, old: Entry | None, mine: Entry | None, other: Entry | None) -> Entry | None:
        if old and mine and other and old[0] == mine[0] == other[0] == _TREE:
            return _TREE, self.tree(old[1], mine[1], other[1])
        if old not in (mine, other) and mine != other:
            raise _GitsWork
        self._note(0, old, mine)
        self._note(1, old, other)
        return other if mine == old else mine

    def _note(self, side: int, old: Entry | None, new: Entry | None) -> None:
        """Note what a side added or removed. Raises `_GitsWork` for what can be a rename."""
        if old == new:
            return
        if old is not None and new is not None and _TREE in (old[0], new[0]):
            raise _GitsWork
        if old is None:
            self._adds.add(side)
        if new is None:
            self._removes.add(side)
        if side in self._adds & self._removes:
            raise _GitsWork

    def _entries(self, tree: bytes) -> dict[bytes, Entry]:
        kind, data = self._repo.read(tree.hex())
        if kind != ObjectType.TREE or len(tree) != _OID_BYTES:
            raise _GitsWork
        return {name: (mode, oid) for mode, name, oid in _ENTRY.findall(data)}

    def _written(self, entries: dict[bytes, Entry]) -> bytes:
        """Write a tree. Git sorts a directory as if its name ended in a slash."""
        if not entries:
            raise _GitsWork
        ordered = sorted(entries.items(), key=lambda each: each[0] + b"/" * (each[1][0] == _TREE))
        data = b"".join(b"%b %b\0%b" % (mode, name, oid) for name, (mode, oid) in ordered)
        return bytes.fromhex(str(self._repo.write(ObjectType.TREE, data)))
