"""Find a repository's directories: its git directory, its main checkout, a path within it.

Git derives them from the settings `core.bare` and `core.worktree`, which any program that writes
the shared configuration may change. So Callboard derives them from the files on disk, and
`command.git` passes them to git (`explicit`).
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

import msgspec

from actors.git.running.library import pygit2
from actors.platform.files import read_line
from actors.platform.openings import Limits

NOT_THERE: Final = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EACCES}
"""Errors that say that a file is not there for us. All others say that the answer is unknown."""


def own_git_dir(checkout: str | Path) -> Path | None:
    """Return the git directory that `.git` in this directory is, links to or names, or None.

    Raise `OSError` if that is not known, as when there are too many open files.
    """
    dot = Path(checkout, ".git")
    try:
        if dot.is_dir():
            return dot.resolve()
        text = read_line(dot)
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise
        return None
    name = text.removeprefix("gitdir:").strip()
    return (dot.parent / name).resolve() if text.startswith("gitdir:") else None


def explicit(at: str) -> dict[str, str]:
    """Return environment variables that make git work in the checkout `at`.

    They override `core.bare` and `core.worktree`. The result is empty for a directory that is not
    the root of a checkout.
    """
    git_dir = own_git_dir(at)
    if git_dir is None:
        return {}
    return {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(Path(at).resolve())}


class Within(msgspec.Struct, frozen=True):
    """What is believed of a worktree that an agent can write, whatever its `.git` says.

    `git_dir` is the repository's common git directory. `fence` is the sandbox in which git runs
    there, because filters and their attributes may be the agent's; None if the agent has none.
    """

    git_dir: str
    fence: Limits | None = None

    def admin(self, worktree: str) -> Path:
        """Return the directory that the repository keeps of this worktree. Raise `OSError`.

        Hundreds may be registered. The one that the worktree's `.git` names is looked at first, and
        believed only if it names the worktree.
        """
        top = Path(self.git_dir, "worktrees")
        wanted, base = Path(worktree).resolve() / ".git", Path(worktree).name
        named = ""
        with contextlib.suppress(OSError):
            named = read_line(wanted).rpartition("/")[2]
        names = os.listdir(top)  # noqa: PTH208 (no `Path` for each of hundreds)
        names.sort(key=lambda each: (each != named, not each.startswith(base)))
        for admin in map(top.joinpath, names):
            with contextlib.suppress(OSError):
                said = admin / read_line(admin / "gitdir")
                if not may_be(said, worktree):
                    continue
                if said.parent.resolve() / said.name == wanted:
                    return admin
        raise FileNotFoundError(errno.ENOENT, "the repository knows no such worktree", worktree)

    def environment(self, worktree: str) -> dict[str, str]:
        """Return environment variables that make git work in this worktree. Raise `OSError`."""
        return {
            "GIT_DIR": str(self.admin(worktree)),
            "GIT_COMMON_DIR": self.git_dir,
            "GIT_WORK_TREE": str(Path(worktree).resolve()),
        }


def may_be(registered: Path, worktree: str | Path) -> bool:
    """Return whether a registered `.git` may be that of a worktree; False is certain.

    It compares directories. To resolve the paths of a hundred worktrees that have the same name
    takes twenty times as long.
    """
    try:
        return _identity(registered.parent) == _identity(Path(worktree))
    except OSError:
        return True


def _identity(directory: Path) -> tuple[int, int] | None:
    """Return what tells a directory from others; None if there is none. Raise `OSError`."""
    try:
        found = directory.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def root_of(repo: str | Path) -> Path | None:
    """Return the root of the checkout around this directory; None when there is none."""
    start = Path(repo).resolve()
    return next((each for each in (start, *start.parents) if own_git_dir(each)), None)


def place_within(repo: str | Path) -> Path:
    """Return the path from the checkout's root to this directory: `packages/web`, or `.`."""
    root = root_of(repo)
    return Path() if root is None else Path(repo).resolve().relative_to(root)


def main_workdir(git_dir: str, repo: str = "") -> str | None:
    """Return the user's own checkout; None for a bare repository.

    `repo` is a directory in that checkout or in another worktree. Without it, a checkout that is
    not the parent of its git directory may not be found. The setting `core.worktree` counts last,
    because an agent may have set it.
    """
    home = Path(git_dir).resolve()
    root = root_of(repo) if repo else None
    for place in (root, home.parent):
        if place is not None and own_git_dir(place) == home and not is_bare(git_dir):
            return str(place)
    named, _ = configured(home)
    return str(named) if named is not None and own_git_dir(named) == home else None


def is_bare(git_dir: str) -> bool:
    """Return whether the repository has no checkout of its own.

    A repository with an index has a checkout, even if `core.bare` was set afterwards.
    """
    config = pygit2.Config(str(Path(git_dir, "config")))
    bare = "core.bare" in config and config.get_bool("core.bare")
    return bare and not Path(git_dir, "index").exists()


def configured(git_dir: Path) -> tuple[Path | None, Path]:
    """Return the directory that `core.worktree` names, and the file that says so.

    None if it names none, or if the file cannot be read.
    """
    shared, own = git_dir / "config", git_dir / "config.worktree"
    extension = "extensions.worktreeConfig"
    with contextlib.suppress(OSError):
        config = pygit2.Config(str(shared))
        counts = extension in config and config.get_bool(extension)
        for file in (own, shared) if counts and own.exists() else (shared,):
            config = pygit2.Config(str(file))
            if "core.worktree" in config and (named := config["core.worktree"]):
                return (git_dir / named).resolve(), file
    return None, shared
