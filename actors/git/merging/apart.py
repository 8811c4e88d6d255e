"""Merge commits that changed different files, from their trees alone.

Where only one side changed a file, every merge takes that side: no attribute, driver or setting
counts. So the result is what git makes, without a program that git would have to start for it.
All else is left to git: a file that both sides changed, a file that became a directory, and
whatever can be a rename, which is a side that both adds and removes.
"""

from __future__ import annotations

import re

from actors.git.reading.commits import read
from actors.git.running.library import pygit2

Entries = dict[bytes, bytes]
"""Each name in a tree with its whole entry, as git writes it: mode, name, object id."""
_TREE = b"40000 "
_OID_BYTES = 20
_ENTRY = re.compile(rb"(?=\d+ ([^\0]+)\0)(\d+ [^\0]+\0.{20})", re.DOTALL)
_ADDS, _REMOVES = 1, 2
_MOST_KEPT = 200_000
"""Entries of trees that are kept, some 200 bytes each."""


class _GitsWork(Exception):
    """The trees alone do not say what the merge is."""


class Apart:
    """Merges in one repository. Trees that were read or written are kept. For one thread."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo
        self._known: dict[bytes, Entries] = {}
        self._kept = 0
        self._sides: dict[tuple[bytes, bytes], int] = {}

    def merge(self, fork: str, onto: str, tip: str) -> str | None:
        """Return the tree of the merge of `tip` into `onto`, or None if git has to make it.

        `fork` is the only best common ancestor of both (`graph.Contents.fork`). Objects are
        written, but not synced.
        """
        try:
            base, ours, theirs = (self._tree_of(oid) for oid in (fork, onto, tip))
            if _ADDS | _REMOVES in (self._side(base, ours), self._side(base, theirs)):
                return None
            return self._merged(base, ours, theirs).hex()
        except (_GitsWork, pygit2.GitError, KeyError, ValueError, RecursionError):
            return None

    def _tree_of(self, commit: str) -> bytes:
        found = read(self._repo, commit)
        if found is None or not found.tree:
            raise _GitsWork
        return bytes.fromhex(found.tree)

    def _side(self, base: bytes, tree: bytes) -> int:
        """Return whether a side adds names, removes some, or both. Raises `_GitsWork`."""
        known = self._sides.get((base, tree))
        if known is not None:
            return known
        olds, news = self._entries(base), self._entries(tree)
        found = (_ADDS if news.keys() - olds else 0) | (_REMOVES if olds.keys() - news else 0)
        for name, new in news.items() - olds.items():
            old = olds.get(name)
            if old is None:
                continue
            if old.startswith(_TREE) != new.startswith(_TREE):
                raise _GitsWork
            if new.startswith(_TREE):
                found |= self._side(old[-_OID_BYTES:], new[-_OID_BYTES:])
        self._sides[base, tree] = found
        return found

    def _merged(self, base: bytes, ours: bytes, theirs: bytes) -> bytes:
        """Return the id of the merged tree. Raises `_GitsWork`."""
        olds, mine, others = (self._entries(oid) for oid in (base, ours, theirs))
        merged = dict(mine)
        for name in {name for name, _ in others.items() ^ olds.items()}:
            old, my, other = olds.get(name), mine.get(name), others.get(name)
            if my in (old, other):
                found = other
            elif old and my and other and old.startswith(_TREE):
                parts = (entry[-_OID_BYTES:] for entry in (old, my, other))
                found = my[:-_OID_BYTES] + self._merged(*parts)
            else:
                raise _GitsWork
            if found is None:
                merged.pop(name, None)
            else:
                merged[name] = found
        if merged == mine:
            return ours
        made = theirs if merged == others else self._written(merged, merged.keys() != mine.keys())
        self._sides[base, made] = self._side(base, ours) | self._side(base, theirs)
        return made

    def _entries(self, tree: bytes) -> Entries:
        known = self._known.get(tree)
        if known is not None:
            return known
        kind, data = self._repo.read(tree.hex())
        entries = dict(_ENTRY.findall(data))
        if kind != pygit2.enums.ObjectType.TREE or sum(map(len, entries.values())) != len(data):
            raise _GitsWork
        return self._keep(tree, entries)

    def _written(self, entries: Entries, has_other_names: bool) -> bytes:
        """Write a tree. Git sorts a directory as if its name ended in a slash."""
        if not entries:
            raise _GitsWork
        if has_other_names:
            by_name = sorted(entries.items(), key=lambda e: e[0] + b"/" * e[1].startswith(_TREE))
            entries = dict(by_name)
        oid = self._repo.write(pygit2.enums.ObjectType.TREE, b"".join(entries.values()))
        tree = bytes.fromhex(str(oid))
        self._keep(tree, entries)
        return tree

    def _keep(self, tree: bytes, entries: Entries) -> Entries:
        self._kept += len(entries)
        if self._kept > _MOST_KEPT:
            self._known.clear()
            self._kept = len(entries)
        self._known[tree] = entries
        return entries
