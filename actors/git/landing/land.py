"""Land a tested commit: set the target by one compare-and-swap, then update its checkouts.

`land` may be killed at any step and called again with the same arguments (hazard 49). Either the
target and its checkouts are unchanged, or the target is the new commit and the repeated call
completes the checkouts. Until then, a checkout may stay locked (`index.lock`).

A power cut also loses what was not synced. So the intent is made durable first, then the objects,
then the ref moves. The intent is removed only after the ref and the checkouts are durable.

`git update-ref` moves the ref, so a `reference-transaction` hook of the user runs and may refuse
(`RefRefused`). `pre-receive`, `update` and branch protection are for servers and do not apply.
`pre-commit`, `pre-merge-commit` and similar hooks do not run for a landing.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from actors.git.landing.checkout import Checkout
from actors.git.landing.hold import Intent, Locked
from actors.git.landing.intact import damage
from actors.git.reading.graph import descends
from actors.git.reading.identity import Identity
from actors.git.reading.refs import HEADS, RefScanner, read_ref
from actors.git.running.command import GitFailed, GitLate, GitRefused, git
from actors.git.running.converting import as_submitted
from actors.git.running.durable import settle
from actors.git.running.library import opened
from actors.git.running.names import shown
from actors.git.running.places import is_bare, main_workdir, own_git_dir
from actors.git.running.stale import release
from actors.git.users.repository import checkouts, worktree_path

LOCK_WAIT: Final = 2.0
"""Seconds to wait for another program's index lock. An editor's `git status` holds it briefly."""
_UPDATE_REF_REFUSALS: Final = "aborted by hook|File exists|but expected"


class Landed(msgspec.Struct, frozen=True, tag="landed"):
    """The target is `oid`."""

    oid: str
    checkouts: tuple[str, ...]
    """Directories of the checkouts that this call updated."""
    kept: tuple[str, ...]
    """Files there that were left alone, because they changed during the landing."""


class _Recovered(msgspec.Struct, frozen=True):
    """What became of landings that a crash interrupted.

    The checkouts that were completed, and the files there that were left as the user has them.
    """

    checkouts: tuple[str, ...]
    kept: tuple[str, ...]
    behind: tuple[tuple[str, str], ...] = ()
    """Checkouts that could not be updated, each with the lock of another git there."""


class Stock(msgspec.Struct, frozen=True):
    """How far a landing came that did not end."""

    moved: bool
    """The target contains the new commit: it has landed."""
    behind: tuple[str, ...]
    """Checkouts that were not updated. They stay locked until `land` is called again, so that
    nobody commits the old state by mistake."""


class TargetMoved(msgspec.Struct, frozen=True, tag="target_moved"):
    """The target is not at the expected commit. Merge again on `actual`; None if it is gone."""

    actual: str | None


class FilesInTheWay(msgspec.Struct, frozen=True, tag="files_in_the_way"):
    """In a checkout of the target, changed or untracked files are where new ones must go."""

    checkout: str
    files: tuple[str, ...]


class TargetLocked(msgspec.Struct, frozen=True, tag="target_locked"):
    """Another git holds the index or the ref, or the user is rebasing the target.

    `lock` is the lock file, git's message, or words that name what holds the target.
    """

    lock: str


class RefRefused(msgspec.Struct, frozen=True, tag="ref_refused"):
    """Git or a `reference-transaction` hook refused the update."""

    output: str


class NotForward(msgspec.Struct, frozen=True, tag="not_forward"):
    """The new commit does not descend from the expected one, so landing would lose commits."""

    old: str
    new: str


class Damaged(msgspec.Struct, frozen=True, tag="damaged"):
    """An object of the new commit is missing, or is not what its name says."""

    what: str


class Behind(msgspec.Struct, frozen=True, tag="behind"):
    """The target is `oid`, but checkouts were not updated: another git holds `lock` there."""

    oid: str
    checkouts: tuple[str, ...]
    lock: str


class _Move(msgspec.Struct, frozen=True):
    """The move of the target: what `land` was asked for."""

    target: str
    old: str
    new: str
    message: str
    author: Identity | None
    hooks: str
    settings: Mapping[str, str] | None


Refusal = FilesInTheWay | TargetLocked | RefRefused | NotForward | Damaged
Landing = Landed | Behind | TargetMoved | Refusal


@contextlib.contextmanager
def _alone(git_dir: str) -> Iterator[None]:
    """Allow one landing at a time in a repository.

    A worker process whose runtime was killed may still be landing; the next caller waits for its
    end.
    """
    fd = os.open(git_dir, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def land(
    git_dir: str,
    target: str,
    *,
    old: str,
    new: str,
    message: str,
    author: Identity | None = None,
    repo: str = "",
    hooks: str = "",
    settings: Mapping[str, str] | None = None,
) -> Landing:
    """Move branch `target` from `old` to `new` (object ids), and update its checkouts.

    `message` and `author` are for the reflog. `repo` is a directory in a checkout of the repository
    (`places.main_workdir`). `hooks` is the directory of the hooks that run; "" is git's own choice.
    `settings` are those of the submission (`converting.as_submitted`).
    """
    move = _Move(target, old, new, message, author, hooks, settings)
    with _alone(git_dir), as_submitted(git_dir, settings):
        return _land(git_dir, move, repo)


def has_moved(git_dir: str, target: str, new: str) -> bool:
    """Return whether the target contains `new`. Runs no git."""
    now = read_ref(git_dir, HEADS + target)
    return now == new or (now is not None and descends(opened(git_dir), new, now))


def take_stock(git_dir: str, target: str, new: str, repo: str = "") -> Stock:
    """Return how far a `land` of `new` came that did not end.

    If the target has not moved, unlock the checkouts. No program of the repository (filter, hook)
    runs.
    """
    with _alone(git_dir):
        moved = has_moved(git_dir, target, new)
        spots = [Checkout(path) for path in _all_checkouts(git_dir, repo)]
        begun = [spot for spot in spots if (it := spot.hold.intent()) is not None and it.new == new]
        for spot in begun if not moved else ():
            spot.release()
        return Stock(moved, tuple(shown(spot.path) for spot in begun) if moved else ())


def _land(git_dir: str, move: _Move, repo: str) -> Landing:
    target, old, new = move.target, move.old, move.new
    done = _recover(git_dir, repo, move.settings)
    actual = read_ref(git_dir, HEADS + target)
    if actual == new and done.behind:
        paths = tuple(path for path, _ in done.behind)
        return Behind(new, paths, done.behind[0][1])
    if actual == new:
        settle(git_dir)  # a crash may have come right after the ref moved
        return Landed(new, done.checkouts, done.kept)
    if actual != old:
        return TargetMoved(actual)
    if not descends(opened(git_dir), old, new):
        return NotForward(old, new)
    if what := damage(git_dir, old, new):
        return Damaged(shown(what))
    for path in _all_checkouts(git_dir, repo):
        if Checkout(path).rebasing() == HEADS + target:
            return TargetLocked(f"a rebase of {target} in {path}")
    if main_workdir(git_dir, repo) is None and not is_bare(git_dir):
        return TargetLocked(f"the checkout of {git_dir}, which is not found at {repo},")
    spots = [Checkout(path) for path in checkouts(git_dir, target, repo)]
    refusal = _lock_and_check(git_dir, spots, move) or _swap(git_dir, move)
    if refusal is not None:
        for spot in spots:
            spot.release()
        return refusal
    kept = [file for spot in spots for file in _bring(git_dir, spot, old, new, move.settings)]
    settle(git_dir, *(spot.path for spot in spots))  # before the intents are removed
    for spot in spots:
        spot.release()
    return Landed(new, tuple(shown(spot.path) for spot in spots), tuple(kept))


def _bring(
    git_dir: str, spot: Checkout, old: str, new: str, settings: Mapping[str, str] | None
) -> list[str]:
    """Update a checkout; return the files left alone. Filters are those of the submission."""
    with _as_submitted(git_dir, spot, settings):
        return [shown(f"{spot.path}/{file}") for file in spot.bring(old, new)]


def _as_submitted(
    git_dir: str, spot: Checkout, settings: Mapping[str, str] | None
) -> contextlib.AbstractContextManager[object]:
    """As `converting.as_submitted`, for a linked worktree, which may have settings of its own.

    An agent may have checked the target out in its worktree.
    """
    linked = own_git_dir(spot.path) != Path(git_dir).resolve()
    return as_submitted(git_dir, settings if linked else None, spot.path)


def _recover(git_dir: str, repo: str, settings: Mapping[str, str] | None) -> _Recovered:
    """End each landing that a crash interrupted: complete it if the ref moved, else undo it."""
    finished: list[str] = []
    kept: list[str] = []
    behind: list[tuple[str, str]] = []
    for path in _all_checkouts(git_dir, repo):
        spot = Checkout(path)
        intent = spot.hold.intent()
        if intent is None:
            continue
        release(git_dir, HEADS + intent.target, "HEAD", places=(path,))
        if has_moved(git_dir, intent.target, intent.new):
            try:
                spot.hold.take(intent)
            except Locked as locked:  # a person removed our lock, and another git holds one
                behind.append((path, locked.path))
                continue
            kept += _bring(git_dir, spot, intent.old, intent.new, settings)
            settle(git_dir, path)
            finished.append(path)
        spot.release()
    return _Recovered(tuple(finished), tuple(kept), tuple(behind))


def _lock_and_check(
    git_dir: str, spots: list[Checkout], move: _Move
) -> TargetLocked | FilesInTheWay | None:
    intent = Intent(move.target, move.old, move.new)
    for spot in spots:
        try:
            _lock(spot, intent)
        except Locked as locked:
            return TargetLocked(shown(locked.path))
    for spot in spots:
        with _as_submitted(git_dir, spot, move.settings):
            files = spot.in_the_way(intent.old, intent.new)
        if files:
            return FilesInTheWay(shown(spot.path), tuple(map(shown, files)))
    return None


def _lock(spot: Checkout, intent: Intent) -> None:
    end = time.monotonic() + LOCK_WAIT
    while True:
        try:
            return spot.hold.take(intent)
        except Locked:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)  # no event tells that another program removed its lock file


def _swap(git_dir: str, move: _Move) -> TargetMoved | TargetLocked | RefRefused | None:
    ref, old, new = HEADS + move.target, move.old, move.new
    own_hooks = ("-c", f"core.hooksPath={move.hooks}") if move.hooks else ()
    settle(git_dir)  # a power cut must not leave a target without its objects
    try:
        git(
            *(*own_hooks, "update-ref", "-m", move.message, ref, new, old),
            at=git_dir,
            env=move.author.variables() if move.author else None,
            hooks=True,
            refusals=_UPDATE_REF_REFUSALS,
        )
    except GitFailed as error:
        actual = read_ref(git_dir, ref)
        if actual == new:
            return None
        if actual != old:
            return TargetMoved(actual)
        if not isinstance(error, GitRefused | GitLate):
            raise
        if "File exists" in error.stderr:
            return TargetLocked(error.stderr)
        return RefRefused(error.stderr)
    return None


def _all_checkouts(git_dir: str, repo: str) -> list[str]:
    main = main_workdir(git_dir, repo)
    names = RefScanner(git_dir).scan().worktrees
    linked = [worktree_path(git_dir, name) for name in names]
    return [path for path in [main, *linked] if path is not None]
