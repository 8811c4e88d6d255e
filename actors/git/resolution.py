"""A conflict laid out in a worktree for someone to resolve, and the check of what he made of it.

`materialize` runs the real `git merge` in a scratch worktree, so markers, `MERGE_HEAD` and tools
are as everyone knows them. Whoever resolves it commits there; `check_worktree` then says what is
still wrong (hazard 50). After that the merge goes on from that commit
(`plan_merge(…, base=Checked.head)`; branches that are in already make no further commit).
"""

import os
import re
from collections.abc import Iterator

import msgspec
import pygit2

from actors.git.command import git, git_line
from actors.git.durable import settle
from actors.git.examination import Clean, Dirty, Unknown, examine
from actors.git.graph import descends
from actors.git.hunks import Missing, Sides, missing_hunks
from actors.git.identity import Identity
from actors.git.names import shown
from actors.git.repository import is_dirty
from actors.git.room import Attributes, room
from actors.git.worktrees import SCRATCH, discard, guard, make, mark_of, registered, set_mark

_SIZE = "conflict-marker-size"
_USUAL = 7
_LONGEST = 1_000
WAIVER = "Dropped:"


class Materialized(msgspec.Struct, frozen=True):
    """A worktree, detached at `onto`, in which `tip` is being merged."""

    path: str
    resolved: str | None
    """The merge commit when `git` found no conflict where libgit2 did: nobody is needed."""


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a resolution."""

    kind: str
    """`uncommitted` | `not_merged` | `markers` | `missing`."""
    path: str
    line: int
    """In the file as the side that lost something has it; 0 for the whole file."""
    text: str
    """A sentence for whoever resolves."""


class Checked(msgspec.Struct, frozen=True):
    """A resolution and what is wrong with it; nothing when `problems` is empty."""

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
) -> Materialized:
    """Lay the merge of `tip` into `onto` out at `path`.

    Again: what is there already stays. `at_onto`: the worktree stands there, clean and at `onto`,
    because someone works in it.

    Raises `RepositoryError` PATH_IN_THE_WAY when another merge, or anything else that someone may
    have worked on, is there: `worktrees.remove` pins and removes it.
    """
    guard(git_dir, home, path)
    mark = f"merge {onto} {tip}\n"
    name = registered(git_dir, path)
    if name is not None and mark_of(git_dir, name) == mark:
        return Materialized(path, _commit_of(git_dir, path, onto, tip))
    if name is None or not at_onto:
        if name is not None and mark_of(git_dir, name) in (None, SCRATCH):
            discard(git_dir, home, path)
        # Until the merge stands the worktree is only scratch, which a repeated call makes anew.
        name = make(git_dir, path, onto, mark=SCRATCH, detach=True)
    env = author.variables()
    options = ("--no-ff", "--no-commit", "-m", message)
    git("merge", *options, tip, at=path, env=env, codes=(0, 1))
    if not git("ls-files", "--unmerged", at=path):
        git("commit", "-q", "--no-verify", "--no-edit", at=path, env=env)
    set_mark(git_dir, name, mark)
    return Materialized(path, _commit_of(git_dir, path, onto, tip))


def check_worktree(git_dir: str, path: str, *, onto: str, tip: str) -> Checked:
    """Check what stands in the worktree: everything committed, and the commit a good resolution."""
    head = git_line("rev-parse", "HEAD", at=path)
    settle(git_dir)
    problems = list(check_resolution(git_dir, onto=onto, tip=tip, head=head))
    if text := _uncommitted(path):
        problems.insert(0, Problem("uncommitted", "", 0, text))
    return Checked(head, tuple(problems))


def _uncommitted(path: str) -> str:
    """Why the worktree is not clean, or is not known to be; "" when it is."""
    match examine(path):
        case Dirty(reason=reason) | Unknown(reason=reason):
            return reason
        case Clean():
            return "there are changes that are not committed" if is_dirty(path) else ""


def check_resolution(git_dir: str, *, onto: str, tip: str, head: str) -> tuple[Problem, ...]:
    """Check commit `head` as the merge of `onto` and `tip`.

    It must descend from both; no file may have conflict markers that neither side had; and what
    either side changed since they parted must be in it, or be named in a commit message of the
    resolution by a line `Dropped: PATH: REASON` (`Dropped: PATH:LINE: REASON` for one hunk).
    """
    repo = pygit2.Repository(git_dir)
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
    head = git_line("rev-parse", "HEAD", at=path)
    repo = pygit2.Repository(git_dir)
    return head if head != onto and descends(repo, tip, head) else None


def _markers(repo: pygit2.Repository, sides: Sides, onto: str) -> list[Problem]:
    """Conflict markers in files that are as neither side has them.

    How long a marker is, the attributes of `onto` say, as they did when the conflict was written.
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
    """What follows `Dropped:` in the messages of the resolution's own commits."""
    walker = repo.walk(head)
    walker.hide(onto)
    walker.hide(tip)
    return [
        line.strip().removeprefix(WAIVER).strip()
        for commit in walker
        for line in commit.raw_message.decode(errors="replace").splitlines()
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
