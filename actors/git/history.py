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
from typing import Final

import msgspec
import pygit2
from pygit2.enums import DeltaStatus, SortMode

_MADE_HERE: Final = re.compile(r"(commit|cherry-pick|revert|am|initial pull)\b")
_REFLOG_LIMIT: Final = 5000
_STRAIGHT: Final = 64


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit, as the facts need it."""

    oid: str
    parents: tuple[str, ...]
    author: str
    """`Name <email>`."""
    time: int
    """Committer's time, seconds since 1970."""
    written: int
    """Author's time, which a rebase or an amend keeps."""
    message: str
    is_merge: bool


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
    foreign = [oid for oid in others if oid in repo]
    if old is None:
        return Created(new, _commits(repo, ref, new, [], foreign) if foreign else ())
    if old not in repo:
        commits = _commits(repo, ref, new, [], foreign) if foreign else ()
        return Rewritten("force", old, new, None, commits)
    straight = _straight(repo, old, new)
    commits = _commits(repo, ref, new, [old], foreign, straight)
    if straight or repo.descendant_of(new, old):
        return Advanced(old, new, commits)
    base = repo.merge_base(old, new)
    kind = _kind(repo, ref, old, new, str(base) if base else None)
    return Rewritten(kind, old, new, str(base) if base else None, commits)


def descends(repo: pygit2.Repository, base: str, tip: str) -> bool:
    """Whether `tip` is `base` or has it among its ancestors; False when either is missing."""
    if base not in repo or tip not in repo:
        return False
    return base == tip or repo.descendant_of(tip, base)


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
    start = repo.merge_base(base, tip) or base
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
    straight: Sequence[pygit2.Commit] = (),
) -> tuple[Commit, ...]:
    """The first-parent line down from `new`, without what `hidden` reaches, oldest first."""
    line = straight or _first_parents(repo, new, _reachable(repo, new, hidden))
    if foreign and line:
        ours = _reachable(repo, new, [*hidden, *foreign])
        if any(str(commit.id) not in ours for commit in line):
            ours |= _made_here(repo, ref)
        line = [commit for commit in line if str(commit.id) in ours]
    return tuple(_plain(commit) for commit in reversed(line))


def _first_parents(repo: pygit2.Repository, new: str, within: set[str]) -> list[pygit2.Commit]:
    line: list[pygit2.Commit] = []
    commit: pygit2.Commit | None = repo[new].peel(pygit2.Commit)
    while commit is not None and str(commit.id) in within:
        line.append(commit)
        parents = commit.parent_ids
        known = parents and parents[0] in repo  # a shallow clone ends here
        commit = repo[parents[0]].peel(pygit2.Commit) if known else None
    return line


def _straight(repo: pygit2.Repository, old: str, new: str) -> list[pygit2.Commit]:
    """The commits from `new` down to `old`, newest first, when no merge lies between.

    Nearly every move is one or a few plain commits; for those no history need be searched.
    """
    line: list[pygit2.Commit] = []
    oid: str = new
    while oid != old:
        commit = repo[oid].peel(pygit2.Commit)
        line.append(commit)
        parents = commit.parent_ids
        if len(parents) != 1 or len(line) == _STRAIGHT or parents[0] not in repo:
            return []
        oid = str(parents[0])
    return line


def _reachable(repo: pygit2.Repository, new: str, hidden: list[str]) -> set[str]:
    walker = repo.walk(new, SortMode.NONE)
    for oid in hidden:
        walker.hide(oid)
    return {str(commit.id) for commit in walker}


def _made_here(repo: pygit2.Repository, ref: str) -> set[str]:
    """Commits that the reflog says were made on this branch; none when it has no reflog."""
    try:
        entries = repo.references[ref].log()
        return {
            str(entry.oid_new)
            for entry, _ in zip(entries, range(_REFLOG_LIMIT), strict=False)
            if _MADE_HERE.match(entry.message or "")
        }
    except (KeyError, pygit2.GitError):
        return set()


def _kind(repo: pygit2.Repository, ref: str, old: str, new: str, base: str | None) -> str:
    if base == new:
        return "reset"
    said = _last_message(repo, ref, new)
    if said.startswith("rebase"):
        return "rebase"
    lost, fresh = _reachable(repo, old, [new]), _reachable(repo, new, [old])
    replaced = repo[old].peel(pygit2.Commit).parent_ids
    if len(lost) == 1 and any(
        repo[oid].peel(pygit2.Commit).parent_ids == replaced for oid in fresh
    ):
        return "amend"
    if said.startswith("reset"):
        return "force"
    return "rebase" if _stamps(repo, lost) & _stamps(repo, fresh) else "force"


def _last_message(repo: pygit2.Repository, ref: str, new: str) -> str:
    """The reflog's word on how the ref came to `new`; empty when it has none."""
    try:
        entry = next(iter(repo.references[ref].log()), None)
    except (KeyError, pygit2.GitError):
        return ""
    return (entry.message or "") if entry is not None and str(entry.oid_new) == new else ""


def _stamps(repo: pygit2.Repository, oids: set[str]) -> set[tuple[bytes, int]]:
    """Who wrote what when: a rebase keeps the author and the author's time."""
    authors = [repo[oid].peel(pygit2.Commit).author for oid in oids]
    return {(author.raw_email, author.time) for author in authors}


def _plain(commit: pygit2.Commit) -> Commit:
    parents = tuple(str(oid) for oid in commit.parent_ids)
    return Commit(
        oid=str(commit.id),
        parents=parents,
        author=_text(commit, commit.author.raw_name + b" <" + commit.author.raw_email + b">"),
        time=commit.commit_time,
        written=commit.author.time,
        message=_text(commit, commit.raw_message),
        is_merge=len(parents) > 1,
    )


def _text(commit: pygit2.Commit, raw: bytes) -> str:
    """A commit's bytes as text, whatever they are: a bad encoding must not stop the watcher."""
    try:
        return raw.decode(commit.message_encoding or "utf-8", errors="replace")
    except LookupError:
        return raw.decode("utf-8", errors="replace")
