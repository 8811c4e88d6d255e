"""Make a task's branch and worktree in Callboard's home; remove them without losing work.

`add` and `remove` may be killed at any step and called again. This is safe, because:

- The branch and the proof that it is ours are made in one transaction (`branches`).
- A worktree is complete if its mark is in its admin directory. The mark is written last, and an
  agent starts only after it. So an unmarked worktree holds no work, and is made anew.
- A removal first renames the directory. So a half-deleted worktree is never taken for one with
  changes.

The user's hooks do not run here: a failing `post-checkout` must not stop a plan. They do run when
agents commit, with the identity of the user's own configuration.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Final

import msgspec

from actors.git.reading.graph import descends
from actors.git.reading.refs import (
    HEADS,
    RefScanner,
    read_ref,
    worktree_names,
)
from actors.git.running.command import GitFailed, git
from actors.git.running.durable import settle
from actors.git.running.errors import RepositoryError, Rule
from actors.git.running.library import opened
from actors.git.running.names import read_name
from actors.git.running.places import Within, may_be
from actors.git.running.stale import release
from actors.git.trees import branches, torn
from actors.git.trees.pins import Pin, pin
from actors.git.trees.reach import Unseen, for_reading
from actors.git.users.repository import has_commits_inside, is_dirty, worktree_path
from actors.platform import disk
from actors.platform.files import NAME, read_bounded

SCRATCH: Final = "scratch\n"
"""The mark of a scratch worktree, in which nobody works."""
_MARK: Final = "callboard"


class Worktree(msgspec.Struct, frozen=True, kw_only=True):
    """A linked worktree that Callboard made."""

    path: str
    name: str
    """Its name in the repository's `worktrees/`, as in `RefState.worktrees`."""
    branch: str
    base: str
    tip: str


class Removed(msgspec.Struct, frozen=True):
    """A worktree was removed. `pin` is where its state is kept; None if no pin was needed."""

    pin: Pin | None


def add(
    git_dir: str,
    home: str,
    path: str,
    *,
    branch: str,
    base: str,
    owner: str,
    proof: str | None = None,
) -> Worktree:
    """Make the branch and the worktree, or finish making them. A repeated call changes nothing.

    `base` is the object id at which the branch starts, `owner` the workflow's id. `proof` is a text
    that only the runtime can make for this branch; None is for workflows of older versions. Raise
    `RepositoryError`: BRANCH_EXISTS (and is not ours), BRANCH_CHECKED_OUT, PATH_IN_THE_WAY,
    NOT_OURS, DISPLACED.
    """
    guard(git_dir, home, path)
    there = os.path.lexists(path)
    if there:
        torn.mend_branch(git_dir, branch, base, torn.mend_objects(git_dir))
    is_new = branches.ensure(git_dir, branch, base, owner, proof)
    name = registered(git_dir, path)
    if name is not None and not (there and _is_complete(git_dir, name)):
        throw_away(git_dir, path, name)  # unfinished, or removed by somebody; its branch is kept
        name = None
    elif there and name is not None and worktree_path(git_dir, name) is None:
        raise RepositoryError(
            Rule.NOT_OURS,
            f"the worktree {path} has lost its .git, or it names another repository",
            f"move {path}/.git away if it is a directory; "
            f"git --git-dir={quote(git_dir)} worktree repair {quote(path)}",
        )
    if name is None:
        if not is_new:
            branches.refuse_other_checkout(git_dir, branch)
        name = make(git_dir, path, branch, mark=f"{owner} {base}\n", is_new=is_new)
    else:  # locks of a git that was killed must not keep the next one from committing
        admin = str(Path(git_dir, "worktrees", name))
        release(admin, "index", "HEAD", places=(path,))
        release(git_dir, HEADS + branch, places=(path, admin))
        torn.mend_worktree(Path(admin), path, branch)
    settle(git_dir, path)
    tip = read_ref(git_dir, HEADS + branch)
    if tip is None:
        raise AssertionError("the branch was made above")
    return Worktree(path=path, name=name, branch=branch, base=base, tip=tip)


def remove(
    git_dir: str, home: str, path: str, *, merged_into: str, pin_as: str, unseen: Unseen = None
) -> Removed:
    """Remove the worktree at `path`; keep its branch.

    The state is pinned first as `refs/callboard/PIN_AS`, unless the worktree is clean (nothing
    changed, nothing untracked), all of its commits are reachable from `merged_into`, an object id,
    and those inside its submodules from their remotes. Ignored files are removed. If there is no
    worktree, nothing happens. `unseen` is as for `pin`.

    Raise `RepositoryError`: NOT_OURS if `path` is not a registered worktree under the home,
    NESTED_REPOSITORY if it holds a repository that a pin cannot keep.
    """
    guard(git_dir, home, path)
    name = registered(git_dir, path)
    if not Path(path).exists():
        throw_away(git_dir, path, name)
        return Removed(None)
    if name is None:
        raise RepositoryError(
            Rule.NOT_OURS, f"{path} is not a worktree of {git_dir}", "remove it by hand"
        )
    kept = None
    is_safe = not _is_complete(git_dir, name)
    if not (is_safe or _nothing_to_lose(git_dir, path, name, merged_into, unseen)):
        kept = pin(git_dir, path, pin_as, unseen)
        if kept.unpinned:
            raise RepositoryError(
                Rule.NESTED_REPOSITORY,
                f"{path} holds repositories of its own: {', '.join(kept.unpinned)}",
                "push their commits, or move them away; the rest is pinned at " + kept.ref,
            )
    throw_away(git_dir, path, name)
    return Removed(kept)


def remove_merged(
    git_dir: str, home: str, path: str, *, merged_into: str, unseen: Unseen = None
) -> bool:
    """Remove the worktree at `path` if nothing could be lost; return whether it was removed.

    Nothing could be lost if it is clean, all its commits are reachable from `merged_into`, and
    those inside its submodules from their remotes. Raise `RepositoryError` NOT_OURS if `path` is
    not under the home.
    """
    guard(git_dir, home, path)
    name = registered(git_dir, path)
    if name is None or not _nothing_to_lose(git_dir, path, name, merged_into, unseen):
        return False
    throw_away(git_dir, path, name)
    return True


def guard(git_dir: str, home: str, path: str) -> None:
    """Refuse a path that is not strictly inside `home`, or that holds the repository.

    Raise `RepositoryError` NOT_OURS.
    """
    real, root = Path(path).resolve(), Path(home).resolve()
    repository = Path(git_dir).resolve()
    if root not in real.parents or real == repository or real in repository.parents:
        raise RepositoryError(
            Rule.NOT_OURS, f"{path} is not a place for a worktree of ours", f"use one under {home}"
        )


def registered(git_dir: str, path: str) -> str | None:
    """Return the name under which the worktree at `path` is registered; None if it is not.

    Hundreds may be registered, and git names one after the last part of its path. The one that the
    worktree's `.git` names is looked at first. Those of other names are looked at only if the path
    is there: somebody may have moved one to it.
    """
    wanted = Path(path).resolve() / ".git"
    names = worktree_names(git_dir)
    said = ""
    with contextlib.suppress(OSError):
        said = read_name(wanted).rpartition("/")[2]
    base = Path(path).name.lstrip(".")
    likely = sorted((name for name in names if base in name), key=lambda name: name != said)
    found = next((name for name in likely if _is_at(git_dir, name, path, wanted)), None)
    if found is None and os.path.lexists(path):
        found = next((name for name in names if _is_at(git_dir, name, path, wanted)), None)
    return found


def _is_at(git_dir: str, name: str, path: str, wanted: Path) -> bool:
    admin = f"{git_dir}/worktrees/{name}"
    try:
        text = read_name(f"{admin}/gitdir")
    except (FileNotFoundError, NotADirectoryError):
        return False  # just removed
    ends = (Path(path).name, wanted.parent.name)
    if not text.rpartition("/")[0].endswith(ends):
        return False
    found = Path(admin, text)
    return may_be(found, path) and found.resolve() == wanted


def make(
    git_dir: str,
    path: str,
    commitish: str,
    *,
    mark: str,
    detach: bool = False,
    is_new: bool = False,
) -> str:
    """Check `commitish` out at `path` and mark it complete; return the worktree's name.

    `is_new` says that it is a branch that was just made: git does not look into every worktree for
    one that has it checked out.
    """
    if os.path.lexists(path) and any(Path(path).iterdir()):
        raise RepositoryError(
            Rule.PATH_IN_THE_WAY, f"{path} exists and is not empty", "move it away"
        )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    options = ["--no-checkout", *(["--detach"] if detach else ["--force"] if is_new else [])]
    with _alone(git_dir):
        git("worktree", "add", *options, path, commitish, at=git_dir)
    name = registered(git_dir, path)
    if name is None:
        raise AssertionError("git registers what it adds")
    _stay_inside(git_dir, path, name)
    if detach:  # tests and merges need the whole commit
        Path(git_dir, "worktrees", name, "info", "sparse-checkout").unlink(missing_ok=True)
    sparse = ("-c", "core.sparseCheckout=false") if detach else ()
    each_core = ("-c", "checkout.workers=0")
    reset = (*sparse, *each_core, "reset", "-q", "--hard", "--no-recurse-submodules")
    git(*reset, at=path, within=Within(git_dir))  # filters run here, and may hang
    set_mark(git_dir, name, mark)
    return name


def _stay_inside(git_dir: str, path: str, name: str) -> None:
    """Make sure that a git started at `path` works there, and not in the user's checkout.

    This holds for our own git and for an agent's. Raise `RepositoryError` DISPLACED if the
    repository's settings prevent it.
    """
    admin = Path(git_dir, "worktrees", name).resolve()
    if _acts_at(path, admin):
        return
    own = f"{admin}/config.worktree"  # read if extensions.worktreeConfig is on
    git("config", "--file", own, "core.worktree", str(Path(path).resolve()), at=git_dir)
    git("config", "--file", own, "core.bare", "false", at=git_dir)
    if not _acts_at(path, admin):
        raise RepositoryError(
            Rule.DISPLACED,
            f"the settings core.worktree or core.bare of {git_dir} send git from {path} elsewhere",
            f"git --git-dir={quote(git_dir)} config --unset core.worktree",
        )


def _acts_at(path: str, admin: Path) -> bool:
    """Return whether git, started at `path`, works there with `admin`. Git itself is asked."""
    said = git(
        *("rev-parse", "--path-format=absolute", "--show-toplevel", "--absolute-git-dir"),
        at=path,
        everywhere=True,
        codes=(0, 128),
    )
    return os.fsdecode(said) == f"{Path(path).resolve()}\n{admin}\n"


@contextlib.contextmanager
def _alone(git_dir: str) -> Iterator[None]:
    """Lock out other calls of `git worktree add` by Callboard in this repository.

    Two at the same time read each other's half-written registrations, and fail.
    """
    fd = os.open(Path(git_dir, "objects"), os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def set_mark(git_dir: str, name: str, mark: str) -> None:
    """Mark the worktree as complete, with its purpose, in one atomic step.

    Unless it is a scratch worktree, its files are made durable first: after a power cut, a mark
    must not be there while files are empty.
    """
    if mark != SCRATCH:
        place = worktree_path(git_dir, name)
        settle(git_dir, *([place] if place is not None else []))
    disk.write_durably(Path(git_dir, "worktrees", name, _MARK), mark.encode())


def mark_of(git_dir: str, name: str) -> str | None:
    """Return the mark of this worktree; None if it is unfinished or not ours."""
    try:
        return os.fsdecode(read_bounded(Path(git_dir, "worktrees", name, _MARK), NAME))
    except FileNotFoundError:
        return None


def discard(git_dir: str, home: str, path: str) -> None:
    """Remove a scratch worktree with all its files. Only for worktrees in which nobody works."""
    guard(git_dir, home, path)
    name = registered(git_dir, path)
    if Path(path).exists() and name is None:
        raise RepositoryError(
            Rule.NOT_OURS, f"{path} is not a worktree of {git_dir}", "remove it by hand"
        )
    throw_away(git_dir, path, name)


def _is_complete(git_dir: str, name: str) -> bool:
    return mark_of(git_dir, name) is not None


def _nothing_to_lose(git_dir: str, path: str, name: str, merged_into: str, unseen: Unseen) -> bool:
    try:
        within = for_reading(git_dir, path, unseen)
        if is_dirty(path, within) or has_commits_inside(path, within):
            return False
    except (GitFailed, OSError):
        return False  # unknown is not clean
    repo = opened(git_dir)
    state = RefScanner(git_dir).scan()
    head = state.worktrees.get(name, "")
    tip = state.heads.get(head, head)
    return bool(tip) and descends(repo, tip, merged_into)


def throw_away(git_dir: str, path: str, name: str | None) -> None:
    """Remove a directory and its registration as a worktree, if it has one (`name`).

    The directory is renamed in one step first.
    """
    trash = f"{path}.removing"
    if Path(trash).exists():
        disk.remove_tree(Path(trash))
    if Path(path).exists():
        Path(path).rename(trash)
    if name is not None:
        admin = Path(git_dir, "worktrees", name)
        disk.remove_tree(admin)
    if Path(trash).exists():
        disk.remove_tree(Path(trash))
