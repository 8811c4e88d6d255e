"""Files of the user's checkout that a plan copies into its worktrees."""

import os
import shutil
from pathlib import Path

from actors.platform.files import open_regular


def to_copy(repo: Path, patterns: list[str]) -> list[Path]:
    """Return the files that the patterns match, relative to `repo`, the plan's directory.

    A directory that matches stands for all files below it. Links that lead out of `repo` or into a
    `.git` are left out.
    """
    root = repo.resolve()
    found = {
        path.relative_to(repo)
        for pattern in patterns
        for path in _files(repo, pattern)
        if _is_inside(path.resolve(), root)
    }
    return sorted(name for name in found if ".git" not in name.parts)


def without_match(repo: Path, patterns: list[str]) -> list[str]:
    """Return the patterns that match no file."""
    return [pattern for pattern in patterns if not to_copy(repo, [pattern])]


def copy_all(repo: Path, place: Path, patterns: list[str]) -> None:
    """Copy the files that the patterns match. Raise as `copy_into` does."""
    for name in to_copy(repo, patterns):
        copy_into(repo, place, name)


def _files(repo: Path, pattern: str) -> list[Path]:
    found = list(repo.glob(pattern))
    below = [path for each in found if each.is_dir() for path in each.rglob("*")]
    return [path for path in (*found, *below) if path.is_file()]


def copy_into(repo: Path, worktree: Path, name: Path) -> None:
    """Copy one file unless it exists. Raise `OSError` if a link would lead out of the worktree."""
    target = worktree / name
    if os.path.lexists(target):
        return
    root = worktree.resolve()
    if not _is_inside(target.parent.resolve() / name.name, root):
        raise OSError(f"copy: {name} leads out of the worktree by a link of the repository")
    target.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    source = open_regular(repo / name)
    with os.fdopen(source, "rb") as old, os.fdopen(os.open(target, flags, 0o600), "wb") as new:
        shutil.copyfileobj(old, new)
    shutil.copystat(repo / name, target)


def _is_inside(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and ".git" not in path.relative_to(root).parts
