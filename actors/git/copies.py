"""Files of the user's checkout that a plan copies into its worktrees."""

import os
import shutil
from pathlib import Path


def to_copy(repo: Path, patterns: list[str]) -> list[Path]:
    """Return the files that the patterns match, relative to the checkout.

    A link that leads out of the checkout, or into its `.git`, is none of them.
    """
    root = repo.resolve()
    found = {
        source.relative_to(repo)
        for pattern in patterns
        for source in repo.glob(pattern)
        if source.is_file() and _is_inside(source.resolve(), root)
    }
    return sorted(name for name in found if ".git" not in name.parts)


def copy_into(repo: Path, worktree: Path, name: Path) -> None:
    """Copy one file; leave what is there. Raise `OSError` where a link leaves the worktree."""
    target = worktree / name
    if os.path.lexists(target):
        return
    root = worktree.resolve()
    if not _is_inside(target.parent.resolve() / name.name, root):
        raise OSError(f"copy: {name} leads out of the worktree by a link of the repository")
    target.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with (repo / name).open("rb") as source, os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        shutil.copyfileobj(source, file)
    shutil.copystat(repo / name, target)


def _is_inside(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and ".git" not in path.relative_to(root).parts
