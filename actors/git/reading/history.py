"""Explain a ref change: its kind, and the commits that belong to it.

The old and the new value of the ref are compared; events are not used.

These commits belong to a ref change:

- Only commits on the *first-parent* line of the ref. Merging `main` into a task's branch brings one
  commit, the merge, and not other people's `#done` (hazard 1).
- A fast-forward has no merge commit. So the caller gives the tips of the target and of the other
  tasks as `others`, and commits reachable from them do not belong to the change.
- Commits that the ref's own reflog records as made on it (`commit`, `cherry-pick`, …) belong to it,
  even if they are reachable from `others` (hazard 3).

So a commit is assigned to the branch on which it was made, also when another branch merges it
before the watcher looks. An agent's own helper branch counts if it is fast-forwarded into the
task's branch. If it is merged with a merge commit, the verdict must be in that commit's message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec

from actors.git.reading.commits import Commit, read
from actors.git.reading.graph import descends, exists, merge_base, reachable
from actors.git.reading.reflog import entries
from actors.git.running.library import pygit2
from bus.kinds import RefChange

_MADE_HERE: Final = re.compile(r"(commit|cherry-pick|revert|am|initial pull)\b")
_REFLOG_LIMIT: Final = 5000
_STRAIGHT: Final = 64


class Created(msgspec.Struct, frozen=True, tag="created"):
    """The ref was made, or made again."""

    new: str
    commits: tuple[Commit, ...]
    """Those that are not reachable from `others`, oldest first."""


class Advanced(msgspec.Struct, frozen=True, tag="advanced"):
    """The ref moved forward: the old commit is an ancestor of the new one."""

    old: str
    new: str
    commits: tuple[Commit, ...]
    """Oldest first. Empty when all of them belong to other refs."""


class Rewritten(msgspec.Struct, frozen=True, tag="rewritten"):
    """History was rewritten: the old commit is not an ancestor of the new one, or is gone."""

    kind: RefChange
    """`AMEND`, `REBASE`, `RESET` (back to an ancestor) or `FORCE` (anything else)."""
    old: str
    new: str
    merge_base: str | None
    """None if there is none, or if the old commit is no longer in the repository."""
    new_commits: tuple[Commit, ...]
    """Those that were not reachable from the old commit, oldest first."""


class Deleted(msgspec.Struct, frozen=True, tag="deleted"):
    """The ref was deleted."""

    old: str


Move = Created | Advanced | Rewritten | Deleted


class Others:
    """The other branches whose history does not belong to a ref. For one thread.

    A plan may have hundreds, and to look for a commit in each of them takes longer than all else.
    So the commits of each plain branch are remembered by its tip.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], frozenset[str] | None] = {}

    def to_search(
        self, repo: pygit2.Repository, old: str, new: str, branches: Sequence[tuple[str, str]]
    ) -> list[str]:
        """Return commits that reach from `old` to `new` what all `branches` reach, but no more.

        `branches` are pairs of a tip and the commit at which the branch began. A plain branch whose
        own commits are none of the new ones reaches what its beginning does.
        """
        tips = {tip for tip, _ in branches}
        new_ones = {commit.oid for commit in _straight(repo, old, new)} if new else set()
        if not new_ones:
            return sorted(tips)
        self._lines = {key: line for key, line in self._lines.items() if key[0] in tips}
        found = set()
        for tip, base in branches:
            line = self._line(repo, tip, base)
            found.add(tip if line is None or not line.isdisjoint(new_ones) else base)
        return sorted(found)

    def _line(self, repo: pygit2.Repository, tip: str, base: str) -> frozenset[str] | None:
        """Return the commits after `base` up to `tip`; None if they are no plain line."""
        key = (tip, base)
        if key not in self._lines:
            line = frozenset(commit.oid for commit in _straight(repo, base, tip))
            self._lines[key] = line if line or tip == base else None
        return self._lines[key]


def moves(
    repo: pygit2.Repository,
    ref: str,
    old: str | None,
    new: str | None,
    others: Sequence[str] = (),
) -> Move | None:
    """Return what happened to `ref` (full name) between two values; None if they are equal.

    `others` are object ids whose history does not belong to this ref: the tips of the target and of
    the other tasks' branches. Objects that are gone are treated as unrelated. For a new ref without
    `others` there are no commits, because otherwise all of its history would count as new. Raise
    `KeyError` if `new` is missing, as in a corrupt repository.
    """
    if old == new:
        return None
    if new is None:
        return Deleted(old or "")
    foreign = [oid for oid in others if exists(repo, oid)]
    if old is None:
        return Created(new, _commits(repo, ref, new, [], foreign) if foreign else ())
    if not exists(repo, old):
        commits = _commits(repo, ref, new, [], foreign) if foreign else ()
        return Rewritten(RefChange.FORCE, old, new, None, commits)
    straight = _straight(repo, old, new)
    commits = _commits(repo, ref, new, [old], foreign, straight)
    if straight or descends(repo, old, new):
        return Advanced(old, new, commits)
    base = merge_base(repo, old, new)
    kind = _kind(repo, ref, old, new, base)
    return Rewritten(kind, old, new, base, commits)


def _commits(
    repo: pygit2.Repository,
    ref: str,
    new: str,
    hidden: list[str],
    foreign: list[str],
    straight: Sequence[Commit] = (),
) -> tuple[Commit, ...]:
    """Return the first-parent line down to `new`, oldest first.

    Commits reachable from `hidden` are left out, and so are those of other refs (module docstring).
    """
    line = straight or _first_parents(repo, new, reachable(repo, new, hidden))
    if foreign and line:
        ours = reachable(repo, new, [*hidden, *foreign])
        if any(commit.oid not in ours for commit in line):
            ours |= _made_here(repo, ref)
        line = [commit for commit in line if commit.oid in ours]
    return tuple(reversed(line))


def _first_parents(repo: pygit2.Repository, new: str, within: set[str]) -> list[Commit]:
    line: list[Commit] = []
    commit = read(repo, new)
    while commit is not None and commit.oid in within:
        line.append(commit)
        commit = read(repo, commit.parents[0]) if commit.parents else None  # shallow: ends here
    return line


def _straight(repo: pygit2.Repository, old: str, new: str) -> list[Commit]:
    """Return the commits from `new` down to `old`, newest first, or [] if there is a merge between.

    Nearly every ref change is one or a few plain commits. For these, history need not be searched.
    More than `_STRAIGHT` commits give [], too.
    """
    line: list[Commit] = []
    oid = new
    while oid != old:
        commit = read(repo, oid)
        if commit is None or len(commit.parents) != 1 or len(line) == _STRAIGHT:
            return []
        line.append(commit)
        oid = commit.parents[0]
    return line


def _made_here(repo: pygit2.Repository, ref: str) -> set[str]:
    """Return the commits that the reflog records as made on this branch."""
    newest = islice(entries(repo.path, ref), _REFLOG_LIMIT)
    return {oid for oid, message in newest if _MADE_HERE.match(message)}


def _kind(repo: pygit2.Repository, ref: str, old: str, new: str, base: str | None) -> RefChange:
    if base == new:
        return RefChange.RESET
    said = _last_message(repo, ref, new)
    if said.startswith("rebase"):
        return RefChange.REBASE
    lost = _commits_of(repo, reachable(repo, old, [new]))
    fresh = _commits_of(repo, reachable(repo, new, [old]))
    replaced = read(repo, old)
    if len(lost) == 1 and replaced and any(each.parents == replaced.parents for each in fresh):
        return RefChange.AMEND
    if said.startswith("reset"):
        return RefChange.FORCE
    # A rebase keeps the author and the author's time.
    kept = {each.author_key for each in lost} & {each.author_key for each in fresh}
    return RefChange.REBASE if kept else RefChange.FORCE


def _last_message(repo: pygit2.Repository, ref: str, new: str) -> str:
    """Return the reflog's message for the change to `new`; empty if it has none."""
    oid, message = next(entries(repo.path, ref), ("", ""))
    return message if oid == new else ""


def _commits_of(repo: pygit2.Repository, oids: set[str]) -> list[Commit]:
    return [commit for oid in oids if (commit := read(repo, oid)) is not None]
