"""What a move of a ref means, commit by commit. Values are compared, never events.

Which commits belong to a move. Only those on the *first-parent* line of the ref: merging `main`
into a task's branch brings one commit, the merge, and not other people's `#done` (hazard 1). A
fast-forward has no merge commit, so the tips of the target and of the other tasks are given as
`others`, and what they reach is not ours, with one exception: a commit that the ref's own reflog
records as made here (`commit`, `cherry-pick`, …). So neither a branch that merges ours before we
looked, nor ours that swallows another, changes who said what. A helper branch of the agent's own
counts when it is fast-forwarded into the task's branch; merged with a merge commit, the word must
stand in that commit's message.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec
import pygit2
from pygit2.enums import DeltaStatus

from actors.git.commits import Commit, read
from actors.git.graph import descends, exists, merge_base, reachable
from actors.git.reflog import entries

_MADE_HERE: Final = re.compile(r"(commit|cherry-pick|revert|am|initial pull)\b")
_REFLOG_LIMIT: Final = 5000
_STRAIGHT: Final = 64


class Created(msgspec.Struct, frozen=True, tag="created"):
    """The ref is new, or back. `commits` are those no other ref reaches, oldest first."""

    new: str
    commits: tuple[Commit, ...]


class Advanced(msgspec.Struct, frozen=True, tag="advanced"):
    """The old commit is an ancestor of the new one."""

    old: str
    new: str
    commits: tuple[Commit, ...]
    """Oldest first. Empty when all of them are someone else's."""


class Rewritten(msgspec.Struct, frozen=True, tag="rewritten"):
    """History was changed: the old commit is not an ancestor of the new one, or is gone."""

    kind: str
    """`amend` | `rebase` | `reset` (back to an ancestor) | `force` (anything else)."""
    old: str
    new: str
    merge_base: str | None
    """None when there is none, or the old commit is no longer in the repository."""
    new_commits: tuple[Commit, ...]
    """What was not reachable before, oldest first."""


class Deleted(msgspec.Struct, frozen=True, tag="deleted"):
    """The ref is gone."""

    old: str


Move = Created | Advanced | Rewritten | Deleted


def moves(
    repo: pygit2.Repository,
    ref: str,
    old: str | None,
    new: str | None,
    others: Sequence[str] = (),
) -> Move | None:
    """What happened to `ref` (full name) between two values; None when they are equal.

    `others` are object ids whose history is not this ref's: the tips of the target and of the
    other tasks' branches. A created ref without `others` has no commits: with nothing to compare
    to, all of history would be news. Objects that are gone are treated as unrelated. `new` must
    exist; a `KeyError` says that it does not (a corrupt repository).
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
        return Rewritten("force", old, new, None, commits)
    straight = _straight(repo, old, new)
    commits = _commits(repo, ref, new, [old], foreign, straight)
    if straight or descends(repo, old, new):
        return Advanced(old, new, commits)
    base = merge_base(repo, old, new)
    kind = _kind(repo, ref, old, new, base)
    return Rewritten(kind, old, new, base, commits)


class FileChange(msgspec.Struct, frozen=True):
    """One file of a diff."""

    path: str
    status: str
    """`A` | `M` | `D` | `R` | `C` | `T`."""
    added: int
    """Lines; 0 for binary files."""
    removed: int
    old_path: str
    """Differs from `path` for a rename or copy."""


class DiffStat(msgspec.Struct, frozen=True):
    """What a branch changed since it left its base."""

    range: str
    """For `git diff`: `base...tip`."""
    files: tuple[FileChange, ...]


def diff_stat(repo: pygit2.Repository, base: str, tip: str) -> DiffStat:
    """Files and line counts from the merge base of the two to `tip`: what a reviewer judges."""
    start = merge_base(repo, base, tip) or base
    diff = repo[start].peel(pygit2.Tree).diff_to_tree(repo[tip].peel(pygit2.Tree))
    diff.find_similar()
    files = []
    for patch in diff:
        if patch is None:
            continue
        delta = patch.delta
        letter = {DeltaStatus.TYPECHANGE: "T"}.get(delta.status, delta.status_char())
        _, added, removed = patch.line_stats
        files.append(FileChange(delta.new_file.path, letter, added, removed, delta.old_file.path))
    return DiffStat(f"{base}...{tip}", tuple(files))


def _commits(
    repo: pygit2.Repository,
    ref: str,
    new: str,
    hidden: list[str],
    foreign: list[str],
    straight: Sequence[Commit] = (),
) -> tuple[Commit, ...]:
    """The first-parent line down from `new`, without what `hidden` reaches, oldest first."""
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
    """The commits from `new` down to `old`, newest first, when no merge lies between.

    Nearly every move is one or a few plain commits; for those no history need be searched.
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
    """Commits that the reflog says were made on this branch; none when it has no reflog."""
    newest = islice(entries(repo.path, ref), _REFLOG_LIMIT)
    return {oid for oid, message in newest if _MADE_HERE.match(message)}


def _kind(repo: pygit2.Repository, ref: str, old: str, new: str, base: str | None) -> str:
    if base == new:
        return "reset"
    said = _last_message(repo, ref, new)
    if said.startswith("rebase"):
        return "rebase"
    lost = _commits_of(repo, reachable(repo, old, [new]))
    fresh = _commits_of(repo, reachable(repo, new, [old]))
    replaced = read(repo, old)
    if len(lost) == 1 and replaced and any(each.parents == replaced.parents for each in fresh):
        return "amend"
    if said.startswith("reset"):
        return "force"
    # A rebase keeps the author and the author's time.
    kept = {each.author_key for each in lost} & {each.author_key for each in fresh}
    return "rebase" if kept else "force"


def _last_message(repo: pygit2.Repository, ref: str, new: str) -> str:
    """The reflog's word on how the ref came to `new`; empty when it has none."""
    oid, message = next(entries(repo.path, ref), ("", ""))
    return message if oid == new else ""


def _commits_of(repo: pygit2.Repository, oids: set[str]) -> list[Commit]:
    return [commit for oid in oids if (commit := read(repo, oid)) is not None]
