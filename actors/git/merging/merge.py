"""Merge branches in order, in memory: only objects are written, no checkout and no ref.

`plan_merge` reads the tips and makes a `MergeRequest`. The caller stores the request in the journal
and then calls `merge_branches`. The same request always gives the same object ids, because it has
the time and the author. So an interrupted merge can be repeated, with the same result.

Merges and previews are made by git (`automerge`). A forecast asks libgit2 first, which takes a
tenth of the time, and git only if libgit2 finds a conflict. A forecast runs no merge drivers. LFS
files are compared as pointers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from actors.git.merging.automerge import Automerge, unattached
from actors.git.merging.conflicts import ConflictFile, conflict_files, touched_paths
from actors.git.reading.graph import Contents, merge_base
from actors.git.reading.identity import Identity, identity
from actors.git.reading.refs import HEADS, read_ref
from actors.git.running.command import GitLate
from actors.git.running.durable import settle
from actors.git.running.errors import RepositoryError, Rule
from actors.git.running.library import opened, pygit2
from actors.git.running.names import shown


class MergeBranch(msgspec.Struct, frozen=True):
    """One branch to merge, at the commit it had when the merge was planned."""

    name: str
    tip: str
    title: str
    """For the subject `Merge NAME: TITLE`; may be empty."""


class MergeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on which a merge depends."""

    git_dir: str
    target: str
    base: str
    """The target's tip: the first parent of the first merge."""
    branches: tuple[MergeBranch, ...]
    author: Identity
    time: int
    """Time of every commit that is made, in seconds since 1970."""


class Step(msgspec.Struct, frozen=True):
    """A branch that was merged. `commit` is None if its tip was contained already."""

    branch: str
    tip: str
    commit: str | None


class MergeResult(msgspec.Struct, frozen=True, tag="merged"):
    """All branches are merged: `result` contains them, and descends from `base`."""

    base: str
    steps: tuple[Step, ...]
    result: str


class Conflict(msgspec.Struct, frozen=True, tag="conflict"):
    """`branch` conflicts with `onto`, which contains the branches of `steps`."""

    base: str
    steps: tuple[Step, ...]
    onto: str
    branch: str
    tip: str
    with_branches: tuple[str, ...]
    """The branches merged before that changed the same files; if there are none, the target."""
    files: tuple[ConflictFile, ...]
    said: str = ""
    """What a merge driver said, such as that its program is missing."""


class Unrelated(msgspec.Struct, frozen=True, tag="unrelated"):
    """`branch` has no merge base with the target, perhaps because the clone is shallow."""

    base: str
    branch: str
    tip: str


MergeOutcome = MergeResult | Conflict | Unrelated


def plan_merge(
    git_dir: str,
    target: str,
    branches: Sequence[tuple[str, str]],
    *,
    time: int,
    base: str | None = None,
    tips: Mapping[str, str] | None = None,
    author: Identity | None = None,
) -> MergeRequest:
    """Make a request: read the tips of the target and of each branch.

    Args:
        git_dir: The common git directory.
        target: The branch that `base` is the tip of.
        branches: `(branch, title)` of each branch, in order.
        time: Time of the commits, in seconds since 1970.
        base: The commit to merge onto instead of the target's tip, such as a person's resolution.
        tips: The commits to merge for some branches, instead of their present tips.
        author: The author of the commits; by default the identity that git finds now.

    Raises:
        RepositoryError: TARGET_MISSING, for a branch that does not exist.
    """
    fixed = tips or {}
    return MergeRequest(
        git_dir=git_dir,
        target=target,
        base=base or _tip(git_dir, target),
        branches=tuple(
            MergeBranch(name, fixed.get(name) or _tip(git_dir, name), title)
            for name, title in branches
        ),
        author=author or identity(git_dir),
        time=time,
    )


def merge_branches(request: MergeRequest) -> MergeOutcome:
    """Merge the branches one after another, each onto the last result, until one conflicts.

    A `MergeResult` is durable on return.
    """
    repo = opened(request.git_dir)
    auto, contents = Automerge(repo, request.git_dir), Contents(repo, request.base)
    steps: list[Step] = []
    onto = request.base
    for branch in request.branches:
        step = _merge_one(repo, auto, request, steps, onto, branch, contents)
        if not isinstance(step, Step):
            return step
        steps.append(step)
        onto = step.commit or onto
    settle(request.git_dir)
    return MergeResult(request.base, tuple(steps), onto)


class Preview(msgspec.Struct, frozen=True):
    """What a merge would do with one branch: the files it changes, and those in conflict."""

    branch: str
    changes: tuple[str, ...]
    conflicts: tuple[ConflictFile, ...]
    with_branches: tuple[str, ...]
    unrelated: bool = False
    unknown: str = ""
    """Why it is not known what the merge would do, such as that a merge driver hangs."""


def preview(request: MergeRequest, seconds: float | None = None) -> tuple[Preview, ...]:
    """Predict the merge of each branch, in order. A branch in conflict is left out of later ones.

    All merges together may take `seconds`. After one that took too long, the rest is not known.

    Only objects are written, no refs and no files. Nothing refers to the objects, so a later
    `git gc` removes them.
    """
    repo = opened(request.git_dir)
    auto = Automerge(repo, request.git_dir, seconds=seconds)
    contents = Contents(repo, request.base)
    previews: list[Preview] = []
    steps: list[Step] = []
    onto, late = request.base, ""
    for branch in request.branches:
        step: Step | Conflict | Unrelated | None = None
        if not late:
            try:
                step = _merge_one(repo, auto, request, steps, onto, branch, contents)
            except GitLate as error:
                late = str(error)
        conflict = step if isinstance(step, Conflict) else None
        if isinstance(step, Step):
            steps.append(step)
            onto = step.commit or onto
        previews.append(
            Preview(
                branch.name,
                tuple(sorted(map(shown, touched_paths(repo, request.base, branch.tip)))),
                conflict.files if conflict else (),
                conflict.with_branches if conflict else (),
                isinstance(step, Unrelated),
                late,
            )
        )
    return tuple(previews)


def forecast(git_dir: str, tip_a: str, tip_b: str) -> tuple[ConflictFile, ...]:
    """Return the files in which two tips conflict with each other; empty if they merge."""
    repo = opened(git_dir)
    if merge_base(repo, tip_a, tip_b) is None:
        return ()
    with contextlib.suppress(pygit2.GitError):  # libgit2 cannot read one of them, but git can
        if not conflict_files(unattached(git_dir).merge_commits(tip_a, tip_b)):
            return ()
    return Automerge(repo, git_dir, runs_drivers=False).merge(tip_a, tip_b).conflicts


def message(branch: MergeBranch, target: str) -> str:
    """Return the message of a merge commit."""
    subject = f"Merge {branch.name}: {branch.title}" if branch.title else f"Merge {branch.name}"
    return f"{' '.join(subject.split())}\n\nMerged into {target} by Callboard.\n"


def _merge_one(
    repo: pygit2.Repository,
    auto: Automerge,
    request: MergeRequest,
    steps: list[Step],
    onto: str,
    branch: MergeBranch,
    contents: Contents,
) -> Step | Conflict | Unrelated:
    if contents.have(branch.tip):
        return Step(branch.name, branch.tip, None)
    if not contents.meet(branch.tip):
        return Unrelated(request.base, branch.name, branch.tip)
    merged = auto.merge(onto, branch.tip, contents)
    if not merged.conflicts:
        commit = _commit(repo, request, branch, onto, merged.tree)
        contents.bring(branch.tip, commit)
        return Step(branch.name, branch.tip, commit)
    return Conflict(
        base=request.base,
        steps=tuple(steps),
        onto=onto,
        branch=branch.name,
        tip=branch.tip,
        with_branches=_culprits(repo, request, steps, merged.paths),
        files=merged.conflicts,
        said=merged.said,
    )


def _commit(
    repo: pygit2.Repository, request: MergeRequest, branch: MergeBranch, onto: str, tree: str
) -> str:
    who = pygit2.Signature(request.author.name, request.author.email, request.time, 0)
    signed = b"%b <%b> %d +0000" % (who.raw_name, who.raw_email, who.time)
    head = f"tree {tree}\nparent {onto}\nparent {branch.tip}\n".encode()
    head += b"author %b\ncommitter %b\n\n" % (signed, signed)
    # libgit2 would make no commit on a parent that it cannot read (hazard 73)
    raw = head + message(branch, request.target).encode()
    return str(repo.write(pygit2.enums.ObjectType.COMMIT, raw))


def _culprits(
    repo: pygit2.Repository,
    request: MergeRequest,
    steps: list[Step],
    paths: frozenset[str],
) -> tuple[str, ...]:
    """Return the branches merged before that changed files in conflict, or else the target."""
    names = tuple(
        step.branch
        for step in steps
        if step.commit is not None and paths & touched_paths(repo, request.base, step.tip)
    )
    return names or (request.target,)


def _tip(git_dir: str, branch: str) -> str:
    oid = read_ref(git_dir, HEADS + branch)
    if oid is None:
        raise RepositoryError(
            Rule.TARGET_MISSING, f"there is no branch {branch!r} in {Path(git_dir)}", "restore it"
        )
    return oid
