"""Lay out a conflict in a worktree for an agent or a person to resolve, and check the resolution.

`materialize` runs the real `git merge` in a scratch worktree, so conflict markers and `MERGE_HEAD`
are there as usual, and the usual tools work. The resolver commits there. `check_worktree` then
returns the remaining problems (hazard 50). The merge goes on from the resolver's commit, by
`plan_merge(…, base=Checked.head)`; branches that it contains already get no further commit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

import msgspec

from actors.git.merging.attributes import Attributes
from actors.git.merging.hunks import Missing, Sides, missing_hunks
from actors.git.merging.room import room
from actors.git.reading.commits import read
from actors.git.reading.examination import Clean, Dirty, Unknown, examine
from actors.git.reading.graph import descends, reachable
from actors.git.reading.identity import Identity
from actors.git.running.command import GitFailed, git
from actors.git.running.converting import as_submitted
from actors.git.running.durable import settle
from actors.git.running.library import opened, pygit2
from actors.git.running.names import shown
from actors.git.running.places import Within
from actors.git.trees.reach import Unseen, for_reading, for_writing
from actors.git.trees.worktrees import SCRATCH, discard, guard, make, mark_of, registered, set_mark
from actors.git.users.repository import is_dirty

_SIZE = "conflict-marker-size"
_USUAL = 7
_LONGEST = 1_000
WAIVER = "Dropped:"


class Materialized(msgspec.Struct, frozen=True):
    """A worktree, detached at `onto`, in which `tip` is being merged."""

    path: str
    resolved: str | None
    """The merge commit if it exists already, as when `git merge` found no conflict; else None."""


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a resolution."""

    kind: str
    """`uncommitted` | `not_merged` | `markers` | `missing`."""
    path: str
    line: int
    """For `markers` in the result, else in the side that lost something; 0 for a whole file."""
    text: str
    """A sentence for the resolver."""


class Checked(msgspec.Struct, frozen=True):
    """A resolution and its problems. It is good if there are none."""

    head: str
    problems: tuple[Problem, ...]


def materialize(
    git_dir: str,
    home: str,
    path: str,
    *,
    onto: str,
    tip: str,
    message: str,
    author: Identity,
    at_onto: bool = False,
    unseen: Unseen = None,
    settings: Mapping[str, str] | None = None,
) -> Materialized:
    """Lay out the merge of `tip` into `onto` in a worktree at `path`.

    A repeated call leaves the worktree as it is. With `at_onto`, the worktree exists already, clean
    and at `onto`, because someone works in it; the merge is made there, with `unseen` in a sandbox.
    `settings` are those of the submission (`converting.as_submitted`).

    Raise `RepositoryError` PATH_IN_THE_WAY if another merge is there, or anything else in which
    someone may have worked. `worktrees.remove` pins and removes it.
    """
    guard(git_dir, home, path)
    mark = f"merge {onto} {tip}\n"
    name = registered(git_dir, path)
    if name is not None and mark_of(git_dir, name) == mark:
        return Materialized(path, _commit_of(git_dir, path, onto, tip))
    within = for_writing(git_dir, path, unseen if at_onto else None)
    if name is None or not at_onto:
        if name is not None and mark_of(git_dir, name) in (None, SCRATCH):
            discard(git_dir, home, path)
        # Until the merge is laid out, the worktree is only scratch: a repeated call makes it anew.
        with as_submitted(git_dir, settings):
            name = make(git_dir, path, onto, mark=SCRATCH, detach=True)
    with as_submitted(git_dir, settings, path):
        _merge(path, within, tip, message, author)
    set_mark(git_dir, name, mark)
    return Materialized(path, _commit_of(git_dir, path, onto, tip))


def _merge(path: str, within: Within, tip: str, message: str, author: Identity) -> None:
    env = author.variables()
    options = ("--no-ff", "--no-commit", "-m", message)
    git("merge", *options, tip, at=path, env=env, codes=(0, 1), within=within)
    if not git("ls-files", "--unmerged", at=path, within=within):
        git("commit", "-q", "--no-verify", "--no-edit", at=path, env=env, within=within)


def check_worktree(
    git_dir: str,
    path: str,
    *,
    onto: str,
    tip: str,
    unseen: Unseen = None,
    settings: Mapping[str, str] | None = None,
) -> Checked:
    """Check that everything in the worktree is committed and its HEAD is a good resolution.

    `settings` are those of the submission (`converting.as_submitted`).
    """
    within = for_reading(git_dir, path, unseen)
    head = _head(path, within)
    settle(git_dir)
    problems = list(check_resolution(git_dir, onto=onto, tip=tip, head=head))
    if text := _uncommitted(path, within, settings):
        problems.insert(0, Problem("uncommitted", "", 0, text))
    return Checked(head, tuple(problems))


def _uncommitted(path: str, within: Within, settings: Mapping[str, str] | None) -> str:
    """Return why the worktree is not clean or not known to be; "" if it is clean."""
    try:
        match examine(path, within, settings):
            case Dirty(reason=reason) | Unknown(reason=reason):
                return reason
            case Clean():
                with as_submitted(within.git_dir, settings, path):
                    dirty = is_dirty(path, within)
                return "there are changes that are not committed" if dirty else ""
    except GitFailed as error:
        return f"it cannot be examined: {error}"


def _head(path: str, within: Within) -> str:
    return os.fsdecode(git("rev-parse", "HEAD", at=path, within=within)).strip()


def check_resolution(git_dir: str, *, onto: str, tip: str, head: str) -> tuple[Problem, ...]:
    """Check commit `head` as the merge of `onto` and `tip`.

    - It must descend from both.
    - No file may have conflict markers that neither side had.
    - It must have the changes of both sides since their merge base. A change may be missing if a
      commit message of the resolution names it in a line `Dropped: PATH: REASON`, or
      `Dropped: PATH:LINE: REASON` for one hunk.
    """
    repo = opened(git_dir)
    for side in (onto, tip):
        if not descends(repo, side, head):
            text = f"the commit does not have {side} among its ancestors"
            return (Problem("not_merged", "", 0, text),)
    sides = Sides.of(repo, onto, tip, head)
    waivers = _waivers(repo, onto, tip, head)
    missing = [
        Problem("missing", shown(item.path), item.line, shown(item.text))
        for item in missing_hunks(sides)
        if not any(_waives(waiver, item) for waiver in waivers)
    ]
    return (*_markers(repo, sides, onto), *missing)


def _commit_of(git_dir: str, path: str, onto: str, tip: str) -> str | None:
    head = _head(path, Within(git_dir))
    repo = opened(git_dir)
    return head if head != onto and descends(repo, tip, head) else None


def _markers(repo: pygit2.Repository, sides: Sides, onto: str) -> list[Problem]:
    """Return the conflict markers in files that differ from both sides.

    The attributes of `onto` give the length of a marker, as they did when git wrote the conflict.
    """
    problems = []
    paths = sides.changed_in_result()
    for path, marker in _markers_of(repo, onto, paths):
        known = {line for tree in (sides.onto, sides.tip) for line in sides.lines(tree, path) or ()}
        for number, line in enumerate(sides.lines(sides.result, path) or (), 1):
            if marker.match(line) and line not in known:
                text = f"{shown(path)}:{number} has a conflict marker"
                problems.append(Problem("markers", shown(path), number, text))
    return problems


def _markers_of(
    repo: pygit2.Repository, onto: str, paths: list[str]
) -> Iterator[tuple[str, re.Pattern[str]]]:
    if not paths:
        return
    with room(repo.path, Attributes(repo), onto) as made:
        names = b"\0".join(os.fsencode(path) for path in paths)
        found = made.git("check-attr", "-z", "--stdin", _SIZE, stdin=names).split(b"\0")
    for path, value in zip(paths, found[2::3], strict=False):
        size = int(value) if value.isdigit() and 0 < int(value) < _LONGEST else _USUAL
        yield path, re.compile(rf"(?:<{{{size}}}|>{{{size}}}|\|{{{size}}})(?: |$)")


def _waivers(repo: pygit2.Repository, onto: str, tip: str, head: str) -> list[str]:
    """Return the texts after `Dropped:` in the messages of the resolution's own commits."""
    own = (read(repo, oid) for oid in reachable(repo, head, [onto, tip]))
    return [
        line.strip().removeprefix(WAIVER).strip()
        for commit in own
        for line in (commit.message if commit is not None else "").split("\n")
        if line.strip().startswith(WAIVER)
    ]


def _waives(waiver: str, item: Missing) -> bool:
    path = shown(item.path)
    if not waiver.startswith(path):
        return False
    rest = waiver[len(path) :]
    if not rest.startswith(":"):
        return rest == "" or rest[0].isspace()
    number = rest[1:].split(":")[0].strip()
    return not number.isdigit() or int(number) == item.line
