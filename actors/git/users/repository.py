"""Examine a repository for a plan: refuse what stops the plan, note what a user should know.

Refused, each with its `Rule`: no `git`, no such path, not a repository, bare, no commit, owned by
another user, reftable, sha256, partial clone, unknown format extension, damaged, target missing.

Allowed; `Survey` tells of most of these, in `notes` or in `changed`:

- *detached HEAD*: the plan names the target, so HEAD does not matter;
- *a dirty checkout of the target*: agents work elsewhere; `land` refuses if files are in the way;
- *a shallow clone*: task branches start at the target's tip, so every merge base is there. A branch
  from before the boundary has no merge base, and the merge refuses it (`Unrelated`);
- *a linked worktree* given as the repository: its common git directory is used;
- *submodules*: they are empty in a task's worktree until someone runs `git submodule update`;
- *LFS*: the `git` program makes the worktrees, so its filters run if they are installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shlex import quote

import msgspec

from actors.git.reading.changes import changed
from actors.git.reading.identity import identity
from actors.git.reading.refs import HEADS, RefScanner
from actors.git.running.command import GitFailed, GitRefused, git, is_installed
from actors.git.running.converting import converting
from actors.git.running.errors import RepositoryError, Rule
from actors.git.running.library import pygit2
from actors.git.running.names import read_name, shown
from actors.git.running.places import (
    NOT_THERE,
    Within,
    configured,
    is_bare,
    main_workdir,
    own_git_dir,
    root_of,
)
from actors.git.users import programs, settings
from actors.git.users.branches import check_name, check_together

_FORMAT = re.compile(r"unknown repository extension|Expected git repo version")
_SETTINGS = re.compile(r"bad (\w+ )?config|unable to access|reading the configuration")
_DUBIOUS = re.compile(r"in repository at '(.+)'")


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What `survey` found out about a repository."""

    git_dir: str
    """The common git directory, by which every function of this package names the repository."""
    workdir: str | None
    """The user's own checkout; None if there are only linked worktrees."""
    target: str
    """Branch name, without `refs/heads/`."""
    target_oid: str
    checkouts: tuple[str, ...]
    """Directories in which the target is checked out."""
    changed: tuple[str, ...]
    """Changed tracked files in `checkouts`, as absolute paths. They do not stop a plan."""
    existing: dict[str, str]
    """Those of the plan's branches that exist already: name to object id."""
    branches: frozenset[str]
    """The names of all branches."""
    author: str
    """The author of the merges, as `Name <address>`."""
    settings: dict[str, str]
    """The git settings that decide the bytes of a checkout (`converting.CONVERTING`)."""
    notes: tuple[str, ...]
    """Sentences that a user should know and may ignore."""


def survey(path: str, target: str, branches: Sequence[str] = ()) -> Survey:
    """Examine the repository at or above `path` for a plan that lands on `target`.

    `branches` are the plan's branches. Nothing is written. Raise `RepositoryError`.
    """
    try:
        return _survey(path, target, branches)
    except GitFailed as error:
        if _FORMAT.search(error.stderr):
            raise RepositoryError(
                Rule.FORMAT, f"this git cannot read {path}: {error.stderr}", "install a newer git"
            ) from error
        if _SETTINGS.search(error.stderr):
            raise RepositoryError(
                Rule.SETTINGS,
                f"git cannot read the settings for {path}: {error.stderr}",
                "mend the value or the file that it names",
            ) from error
        raise RepositoryError(
            Rule.DAMAGED, f"{path} cannot be read: {error}", f"git -C {path} fsck"
        ) from error
    except (pygit2.GitError, OSError) as error:
        raise RepositoryError(
            Rule.DAMAGED, f"{path} cannot be read: {error}", f"git -C {path} fsck"
        ) from error


def _survey(path: str, target: str, branches: Sequence[str]) -> Survey:
    if not is_installed():
        raise RepositoryError(
            Rule.GIT_MISSING, "there is no `git` program on the PATH", "install git"
        )
    git_dir = find_git_dir(path)
    _check_owner(path)
    repo = _open(path, git_dir)
    for name in (target, *branches):
        check_name(name)
    state = RefScanner(git_dir).scan()
    heads = {ref.removeprefix(HEADS): oid for ref, oid in state.heads.items()}
    if not heads:
        raise RepositoryError(
            Rule.EMPTY, f"{path} has no commit yet", "make a first commit on the target branch"
        )
    if target not in heads:
        raise RepositoryError(
            Rule.TARGET_MISSING,
            f"there is no branch {target!r} in {path}",
            f"there are {', '.join(sorted(heads)[:8])}",
        )
    if target in branches:
        raise RepositoryError(
            Rule.BRANCH_CONFLICT, f"branch {target!r} is the target", "give the task its own branch"
        )
    ignore_case = _flag(repo.config, "core.ignorecase")
    check_together(branches, heads, ignore_case=ignore_case)
    spots = checkouts(git_dir, target, path)
    return Survey(
        git_dir=git_dir,
        workdir=main_workdir(git_dir, path),
        target=target,
        target_oid=heads[target],
        checkouts=tuple(map(shown, spots)),
        changed=tuple(shown(str(Path(spot, name))) for spot in spots for name in changed(spot)),
        existing={name: heads[name] for name in branches if name in heads},
        branches=frozenset(heads),
        author=str(identity(path)),
        settings=converting(spots[0] if spots else git_dir),
        notes=(
            *_notes(repo, git_dir, path, state.head, target),
            *programs.notes(git_dir, heads[target]),
        ),
    )


def find_git_dir(path: str) -> str:
    """Return the common git directory of the repository at or above `path`.

    Raise `RepositoryError` if there is none, or if its format cannot be read.
    """
    if not Path(path).exists():
        raise RepositoryError(Rule.NOT_THERE, f"{path} does not exist", "check the path")
    if not Path(path).is_dir():
        raise RepositoryError(
            Rule.NOT_A_REPOSITORY, f"{path} is not a directory", "name the repository's directory"
        )
    found = pygit2.discover_repository(path)
    if found is None:
        raise RepositoryError(
            Rule.NOT_A_REPOSITORY, f"{path} is not in a git repository", "run `git init` there"
        )
    git_dir = Path(found)
    common = git_dir / "commondir"
    if common.exists():
        git_dir = git_dir / read_name(common)
    git_dir = git_dir.resolve()
    if "\n" in str(git_dir):  # the agents' git is told settings of this path
        raise RepositoryError(
            Rule.FORMAT, f"{path} has a line break in its path", "rename the directory"
        )
    _check_format(git_dir)
    return str(git_dir)


def checkouts(git_dir: str, branch: str, repo: str = "") -> tuple[str, ...]:
    """Return the directories in which `branch` is checked out: the user's clone, linked worktrees.

    `repo` is as for `main_workdir`.
    """
    state = RefScanner(git_dir).scan()
    ref = HEADS + branch
    spots = []
    main = main_workdir(git_dir, repo)
    if main is not None and state.head == ref:
        spots.append(main)
    for name, head in state.worktrees.items():
        if head == ref and (spot := worktree_path(git_dir, name)) is not None:
            spots.append(spot)
    return tuple(spots)


def worktree_path(git_dir: str, name: str) -> str | None:
    """Return the directory of the linked worktree called `name`.

    The result is None if the worktree is gone, or if its `.git` names another git directory. Raise
    `OSError` if that is not known.
    """
    try:
        text = read_name(Path(git_dir, "worktrees", name, "gitdir"))
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise
        return None
    admin = Path(git_dir, "worktrees", name)
    place = (admin / text).parent.resolve()
    return str(place) if own_git_dir(place) == admin.resolve() else None


def is_dirty(worktree: str, within: Within | None = None) -> bool:
    """Return whether files are changed or untracked in `worktree`, or in a nested repository.

    Ignored files do not count. `within` is as for `changed`.
    """
    if any(changed(worktree, untracked=True, within=within)):
        return True
    return any(_asked(nested, _is_changed) for nested in _nested(worktree, within))


def has_commits_inside(worktree: str, within: Within | None = None) -> bool:
    """Return whether a nested repository of `worktree` has commits that it has from no remote.

    A submodule's commits are kept in the worktree's own admin directory: they go with it.
    """
    return any(_asked(nested, _has_own_commits) for nested in _nested(worktree, within))


def _nested(worktree: str, within: Within | None) -> Iterator[Path]:
    """Yield the submodules of a worktree that are checked out."""
    links = git("ls-files", "-s", "-z", at=worktree, within=within).split(b"\0")
    names = [os.fsdecode(line.split(b"\t", 1)[1]) for line in links if line[:6] == b"160000"]
    yield from (place for name in names if ((place := Path(worktree, name)) / ".git").exists())


def _asked(nested: Path, question: Callable[[pygit2.Repository], bool]) -> bool:
    """Return the answer for a nested repository; True if it cannot be read.

    libgit2 runs no filters.
    """
    try:
        return question(pygit2.Repository(str(nested)))
    except (pygit2.GitError, OSError, ValueError, KeyError):
        return True


def _is_changed(nested: pygit2.Repository) -> bool:
    states = nested.status(untracked_files="normal").values()
    return any(
        state not in (pygit2.enums.FileStatus.CURRENT, pygit2.enums.FileStatus.IGNORED)
        for state in states
    )


def _has_own_commits(nested: pygit2.Repository) -> bool:
    """Return whether HEAD, a branch or a stash has a commit that is on no remote's branch."""
    walker = nested.walk(None)
    for name in nested.references:
        if name.startswith(("refs/heads/", "refs/stash")):
            walker.push(nested.references[name].peel(pygit2.Commit).id)
        elif name.startswith("refs/remotes/"):
            walker.hide(nested.references[name].peel(pygit2.Commit).id)
    if not nested.head_is_unborn:
        walker.push(nested.head.peel(pygit2.Commit).id)
    return next(walker, None) is not None


def _check_owner(path: str) -> None:
    """Refuse what belongs to another user, unless the user trusts it: git itself is asked.

    libgit2 and a git that is told its git directory would not ask, or ask otherwise.
    """
    at = str(root_of(path) or path)
    try:
        git("rev-parse", "--git-dir", at=at, everywhere=True, refusals="dubious ownership")
    except GitRefused as error:
        named = _DUBIOUS.search(error.stderr)
        raise RepositoryError(
            Rule.OWNERSHIP,
            f"{at} belongs to another user",
            f"git config --global --add safe.directory {quote(named[1] if named else at)}",
        ) from error


def _open(path: str, git_dir: str) -> pygit2.Repository:
    named, file = configured(Path(git_dir))
    if named is not None and not named.is_dir():
        raise RepositoryError(
            Rule.DISPLACED,
            f"core.worktree sends git from {path} to {named}, which is not there",
            f"git config --file {quote(str(file))} --unset core.worktree",
        )
    try:
        repo = pygit2.Repository(str(pygit2.discover_repository(path)))
    except pygit2.GitError as error:
        raise RepositoryError(
            Rule.FORMAT, f"{git_dir} cannot be opened: {error}", "see `git help repository-version`"
        ) from error
    if repo.is_bare and not is_bare(git_dir):
        raise RepositoryError(
            Rule.BARE,
            f"{git_dir} has a checkout, but its setting core.bare says that it has none",
            f"git --git-dir={quote(git_dir)} config core.bare false",
        )
    if repo.is_bare:
        raise RepositoryError(
            Rule.BARE, f"{path} is a bare repository", "clone it and use the clone"
        )
    return repo


def _check_format(git_dir: Path) -> None:
    """Refuse unsupported formats, each with its own message; libgit2 has one message for all."""
    try:
        config = pygit2.Config(str(git_dir / "config"))
    except OSError:
        return
    if _text(config, "extensions.refstorage") not in (None, "files"):
        raise RepositoryError(
            Rule.REFTABLE,
            f"{git_dir} keeps its refs in the reftable format, which libgit2 cannot read",
            "git refs migrate --ref-format=files",
        )
    if _text(config, "extensions.objectformat") not in (None, "sha1"):
        raise RepositoryError(
            Rule.SHA256,
            f"{git_dir} uses sha256 object names, which libgit2 cannot read",
            "use a repository in the sha1 format",
        )
    promisors = [
        entry.name for entry in config if re.fullmatch(r"remote\..*\.promisor", entry.name)
    ]
    if promisors or _text(config, "extensions.partialclone") is not None:
        raise RepositoryError(
            Rule.PARTIAL,
            f"{git_dir} is a partial clone: objects may be missing",
            "make a full clone",
        )


def _text(config: pygit2.Config, key: str) -> str | None:
    return str(config[key]).lower() if key in config else None


def _flag(config: pygit2.Config, key: str) -> bool:
    return key in config and config.get_bool(key)


def _notes(repo: pygit2.Repository, git_dir: str, path: str, head: str, target: str) -> list[str]:
    notes = []
    (named, file), main = configured(Path(git_dir)), main_workdir(git_dir, path)
    if named is not None and main is not None and str(named) != main:
        notes.append(
            f"core.worktree sends your git from {shown(main)} to {shown(str(named))}; what lands is"
            " put into the first, and a commit from the second would take it back"
            f" (git config --file {quote(str(file))} --unset core.worktree)"
        )
    if not head.startswith(HEADS):
        notes.append("HEAD is detached; the target is the plan's, so this changes nothing")
    if Path(git_dir, "shallow").exists():
        notes.append("the clone is shallow; branches from before its boundary cannot be merged")
    workdir = repo.workdir
    if workdir is not None and Path(workdir, ".gitmodules").exists():
        notes.append(
            "submodules stay empty in the tasks' worktrees until someone updates them, and who "
            "commits inside one has to push that commit"
        )
    notes += settings.notes(workdir or git_dir, target)
    return notes
