"""Merge branches in order, in memory: no checkout, no ref, only objects.

The same `MergeRequest` always gives the same object ids (the time and the author are part of it),
so a merge that was cut is redone to the same end. `plan_merge` reads the tips and makes the
request; journal it, then `merge_branches`.

Merges and previews are git's own (`automerge`). A forecast asks libgit2 first, which costs a tenth,
and git only where libgit2 sees a conflict; it runs no merge drivers. LFS files are compared as
pointers.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pygit2

from actors.git.automerge import Automerge, unattached
from actors.git.conflicts import ConflictFile, conflict_files, touched_paths
from actors.git.durable import settle
from actors.git.errors import RepositoryError, Rule
from actors.git.graph import descends, merge_base
from actors.git.identity import Identity, identity
from actors.git.names import shown
from actors.git.refs import HEADS, read_ref


class MergeBranch(msgspec.Struct, frozen=True):
    """One branch to merge, at the commit it had when the merge was planned."""

    name: str
    tip: str
    title: str
    """For the subject: `Merge NAME: TITLE`; empty for none."""


class MergeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """All that a merge depends on."""

    git_dir: str
    target: str
    base: str
    """The target's tip: the first parent of the first merge."""
    branches: tuple[MergeBranch, ...]
    author: Identity
    time: int
    """Seconds since 1970, the time of every commit made."""


class Step(msgspec.Struct, frozen=True):
    """A branch that merged. `commit` is None when its tip was there already."""

    branch: str
    tip: str
    commit: str | None


class MergeResult(msgspec.Struct, frozen=True, tag="merged"):
    """All branches are in `result`, a descendant of `base`."""

    base: str
    steps: tuple[Step, ...]
    result: str


class Conflict(msgspec.Struct, frozen=True, tag="conflict"):
    """`branch` does not merge into `onto`, which has the branches of `steps`."""

    base: str
    steps: tuple[Step, ...]
    onto: str
    branch: str
    tip: str
    with_branches: tuple[str, ...]
    """Who touched the same files: branches merged before, else the target."""
    files: tuple[ConflictFile, ...]


class Unrelated(msgspec.Struct, frozen=True, tag="unrelated"):
    """`branch` shares no commit with the target (or a shallow clone has cut it off)."""

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
    """Read the tips of the target and of each `(branch, title)`.

    `tips` names the commit to merge of a branch, whatever the branch holds by now. `base`
    replaces the target's tip when a person's merge is gone on from. Without an
    `author` it is who commits in the repository now. Raises `RepositoryError` TARGET_MISSING for a
    ref that is not there.
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
    """Merge one after another, each onto the last result, until done or in conflict.

    A result is durable on return.
    """
    repo = pygit2.Repository(request.git_dir)
    auto = Automerge(repo, request.git_dir)
    steps: list[Step] = []
    onto = request.base
    for branch in request.branches:
        step = _merge_one(repo, auto, request, steps, onto, branch)
        if not isinstance(step, Step):
            return step
        steps.append(step)
        onto = step.commit or onto
    settle(request.git_dir)
    return MergeResult(request.base, tuple(steps), onto)


class Preview(msgspec.Struct, frozen=True):
    """What would happen to one branch: the files it changes and those in conflict."""

    branch: str
    changes: tuple[str, ...]
    conflicts: tuple[ConflictFile, ...]
    with_branches: tuple[str, ...]
    unrelated: bool = False


def preview(request: MergeRequest) -> tuple[Preview, ...]:
    """Predict every branch in order. One in conflict is told and left out of what follows.

    Writes objects that nothing refers to (the next `git gc` takes them), no refs and no files.
    """
    repo = pygit2.Repository(request.git_dir)
    auto = Automerge(repo, request.git_dir)
    previews: list[Preview] = []
    steps: list[Step] = []
    onto = request.base
    for branch in request.branches:
        step = _merge_one(repo, auto, request, steps, onto, branch)
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
            )
        )
    return tuple(previews)


def forecast(git_dir: str, tip_a: str, tip_b: str) -> tuple[ConflictFile, ...]:
    """The files in which two live branches conflict with each other; empty when they merge."""
    repo = pygit2.Repository(git_dir)
    if merge_base(repo, tip_a, tip_b) is None:
        return ()
    with contextlib.suppress(pygit2.GitError):  # it cannot read one of them; git can
        if not conflict_files(unattached(git_dir).merge_commits(tip_a, tip_b)):
            return ()
    return Automerge(repo, git_dir, runs_drivers=False).merge(tip_a, tip_b).conflicts


def message(branch: MergeBranch, target: str) -> str:
    """The message of a merge commit."""
    subject = f"Merge {branch.name}: {branch.title}" if branch.title else f"Merge {branch.name}"
    return f"{' '.join(subject.split())}\n\nMerged into {target} by Callboard.\n"


def _merge_one(
    repo: pygit2.Repository,
    auto: Automerge,
    request: MergeRequest,
    steps: list[Step],
    onto: str,
    branch: MergeBranch,
) -> Step | Conflict | Unrelated:
    if descends(repo, branch.tip, onto):
        return Step(branch.name, branch.tip, None)
    if merge_base(repo, onto, branch.tip) is None:
        return Unrelated(request.base, branch.name, branch.tip)
    merged = auto.merge(onto, branch.tip)
    if not merged.conflicts:
        commit = _commit(repo, request, branch, onto, merged.tree)
        return Step(branch.name, branch.tip, commit)
    return Conflict(
        base=request.base,
        steps=tuple(steps),
        onto=onto,
        branch=branch.name,
        tip=branch.tip,
        with_branches=_culprits(repo, request, steps, merged.paths),
        files=merged.conflicts,
    )


def _commit(
    repo: pygit2.Repository, request: MergeRequest, branch: MergeBranch, onto: str, tree: str
) -> str:
    who = pygit2.Signature(request.author.name, request.author.email, request.time, 0)
    text = message(branch, request.target)
    return str(repo.create_commit(None, who, who, text, tree, [onto, branch.tip]))


def _culprits(
    repo: pygit2.Repository,
    request: MergeRequest,
    steps: list[Step],
    paths: frozenset[str],
) -> tuple[str, ...]:
    """Which of the branches merged before touched the files in conflict; else the target."""
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
