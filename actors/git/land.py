"""A tested commit becomes the target: one compare-and-swap, then the checkouts follow.

`land` may be killed anywhere and called again with the same arguments: either the target and its
checkouts are untouched, or the target is the new commit and the repeated call completes the
checkouts. Between crash and repetition a checkout may be locked (`index.lock`); `recover` alone
also ends that, and belongs to the start of every runtime.

A power cut is a kill that also loses what was not synced: the objects are durable before the ref
moves, the intent before that, and the ref with the checkouts before the intent is forgotten.

The ref is moved by `git update-ref`, so a `reference-transaction` hook of the user runs and may
refuse (`RefRefused`). `pre-receive`, `update` and branch protection live on servers and see
nothing; `pre-commit`, `pre-merge-commit` and the like do not run for what we land.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import Final

import msgspec
import pygit2

from actors.git.checkout import Checkout, Intent, Locked
from actors.git.command import GitFailed, GitLate, GitRefused, git
from actors.git.durable import settle
from actors.git.graph import descends
from actors.git.identity import Identity
from actors.git.names import shown
from actors.git.places import is_bare, main_workdir
from actors.git.refs import HEADS, RefScanner, read_ref
from actors.git.repository import checkouts, worktree_path
from actors.git.stale import release
from actors.git.worktrees import SCRATCH, discard, guard, make, mark_of, registered

LOCK_WAIT: Final = 2.0
"""Seconds to wait for another program's index lock; an editor's `git status` takes it briefly."""
_UPDATE_REF_REFUSALS: Final = "aborted by hook|File exists|but expected"


class Landed(msgspec.Struct, frozen=True, tag="landed"):
    """The target is `oid`."""

    oid: str
    checkouts: tuple[str, ...]
    """Directories that were brought along by this call."""
    kept: tuple[str, ...]
    """Files there that changed in the last instant and were left alone."""


class Recovered(msgspec.Struct, frozen=True):
    """What `recover` ended: checkouts it completed, and files it left as their user has them."""

    checkouts: tuple[str, ...]
    kept: tuple[str, ...]
    behind: tuple[tuple[str, str], ...] = ()
    """Checkouts that could not follow, each with the lock that another git holds there."""


class Stock(msgspec.Struct, frozen=True):
    """How far a landing came that could not end."""

    moved: bool
    """The target has the new commit: it has landed."""
    behind: tuple[str, ...]
    """Checkouts that did not follow. They stay locked, so that nobody commits the old state by
    mistake, until `land` is called again."""


class TargetMoved(msgspec.Struct, frozen=True, tag="target_moved"):
    """The target is not at the expected commit: merge again on `actual` (None: it is gone)."""

    actual: str | None


class FilesInTheWay(msgspec.Struct, frozen=True, tag="files_in_the_way"):
    """The target is checked out with changed or untracked files where new ones must go."""

    checkout: str
    files: tuple[str, ...]


class TargetLocked(msgspec.Struct, frozen=True, tag="target_locked"):
    """Another git holds the index or the ref, or the user is rebasing the target.

    `lock` is the lock's file, or a sentence.
    """

    lock: str


class RefRefused(msgspec.Struct, frozen=True, tag="ref_refused"):
    """Git or a `reference-transaction` hook refused the update."""

    output: str


class NotForward(msgspec.Struct, frozen=True, tag="not_forward"):
    """The new commit does not descend from the expected one; landing would lose commits."""

    old: str
    new: str


class Behind(msgspec.Struct, frozen=True, tag="behind"):
    """The target is `oid`, and checkouts did not follow: another git holds `lock` there."""

    oid: str
    checkouts: tuple[str, ...]
    lock: str


Landing = Landed | Behind | TargetMoved | FilesInTheWay | TargetLocked | RefRefused | NotForward


@contextlib.contextmanager
def _alone(git_dir: str) -> Iterator[None]:
    """One landing at a time in a repository.

    A worker whose runtime was killed may still be in the middle of one; whoever comes next waits
    for its end.
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
) -> Landing:
    """Move branch `target` from `old` to `new` (object ids); `message` and `author` are for the
    reflog. `repo` is a directory in a checkout of the repository (`places.main_workdir`).
    """
    with _alone(git_dir):
        return _land(git_dir, target, old, new, message, author, repo)


def recover(git_dir: str, repo: str = "") -> Recovered:
    """End every landing that a crash has cut: finish it if its ref moved, else take it back."""
    with _alone(git_dir):
        return _recover(git_dir, repo)


def take_stock(git_dir: str, target: str, new: str, repo: str = "") -> Stock:
    """After a `land` of `new` that could not end.

    Unless the target has moved, what it had locked is free again. Runs nothing of the repository's.
    """
    with _alone(git_dir):
        now = read_ref(git_dir, HEADS + target)
        moved = now is not None and descends(pygit2.Repository(git_dir), new, now)
        spots = [Checkout(path) for path in _all_checkouts(git_dir, repo)]
        begun = [spot for spot in spots if (it := spot.intent()) is not None and it.new == new]
        for spot in begun if not moved else ():
            spot.unlock()
        return Stock(moved, tuple(shown(spot.path) for spot in begun) if moved else ())


def _land(
    git_dir: str,
    target: str,
    old: str,
    new: str,
    message: str,
    author: Identity | None,
    repo: str,
) -> Landing:
    done = _recover(git_dir, repo)
    actual = read_ref(git_dir, HEADS + target)
    if actual == new and done.behind:
        paths = tuple(path for path, _ in done.behind)
        return Behind(new, paths, done.behind[0][1])
    if actual == new:
        settle(git_dir)  # it may have moved just before a crash
        return Landed(new, done.checkouts, done.kept)
    if actual != old:
        return TargetMoved(actual)
    if not descends(pygit2.Repository(git_dir), old, new):
        return NotForward(old, new)
    for path in _all_checkouts(git_dir, repo):
        if Checkout(path).rebasing() == HEADS + target:
            return TargetLocked(f"a rebase of {target} in {path}")
    if main_workdir(git_dir, repo) is None and not is_bare(git_dir):
        return TargetLocked(f"the checkout of {git_dir}, which is not found at {repo},")
    spots = [Checkout(path) for path in checkouts(git_dir, target, repo)]
    refusal = _lock_and_check(spots, Intent(target, old, new)) or _swap(
        git_dir, target, old, new, message, author
    )
    if refusal is not None:
        for spot in spots:
            spot.unlock()
        return refusal
    kept = [shown(f"{spot.path}/{file}") for spot in spots for file in spot.bring(old, new)]
    settle(git_dir, *(spot.path for spot in spots))  # the intents go only after this
    for spot in spots:
        spot.unlock()
    return Landed(new, tuple(shown(spot.path) for spot in spots), tuple(kept))


def _recover(git_dir: str, repo: str) -> Recovered:
    finished: list[str] = []
    kept: list[str] = []
    behind: list[tuple[str, str]] = []
    for path in _all_checkouts(git_dir, repo):
        spot = Checkout(path)
        intent = spot.intent()
        if intent is None:
            continue
        release(git_dir, HEADS + intent.target, "HEAD", places=(path,))
        now = read_ref(git_dir, HEADS + intent.target)
        if now is not None and descends(pygit2.Repository(git_dir), intent.new, now):
            try:
                spot.lock(intent)
            except Locked as locked:  # a person took our lock away and holds another one
                behind.append((path, locked.path))
                continue
            kept += [shown(f"{path}/{file}") for file in spot.bring(intent.old, intent.new)]
            settle(git_dir, path)
            finished.append(path)
        spot.unlock()
    return Recovered(tuple(finished), tuple(kept), tuple(behind))


def checkout_tree(git_dir: str, home: str, path: str, oid: str) -> str:
    """A scratch worktree, detached at `oid`, with nothing in it but that commit: tests run here.

    What an earlier call left at `path` is discarded, whatever it holds; a worktree that anybody
    works in is refused (`RepositoryError` PATH_IN_THE_WAY). Returns the worktree's name.
    """
    guard(git_dir, home, path)
    name = registered(git_dir, path)
    if name is not None and mark_of(git_dir, name) in (None, SCRATCH):
        discard(git_dir, home, path)
    return make(git_dir, path, oid, mark=SCRATCH, detach=True)


def _lock_and_check(spots: list[Checkout], intent: Intent) -> TargetLocked | FilesInTheWay | None:
    for spot in spots:
        try:
            _lock(spot, intent)
        except Locked as locked:
            return TargetLocked(shown(locked.path))
    for spot in spots:
        files = spot.in_the_way(intent.old, intent.new)
        if files:
            return FilesInTheWay(shown(spot.path), tuple(map(shown, files)))
    return None


def _lock(spot: Checkout, intent: Intent) -> None:
    end = time.monotonic() + LOCK_WAIT
    while True:
        try:
            return spot.lock(intent)
        except Locked:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)  # another program's lock file: its removal tells nobody


def _swap(
    git_dir: str, target: str, old: str, new: str, message: str, author: Identity | None
) -> TargetMoved | TargetLocked | RefRefused | None:
    ref = HEADS + target
    settle(git_dir)  # no power cut may leave a target whose objects are lost
    try:
        git(
            *("update-ref", "-m", message, ref, new, old),
            at=git_dir,
            env=author.variables() if author else None,
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
