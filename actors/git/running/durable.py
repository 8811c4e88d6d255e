"""Sync a repository to the disk before its contents are reported."""

from pathlib import Path

from actors.platform import disk


def settle(git_dir: str, *places: str) -> None:
    """Sync objects, packs, refs and reflogs to the disk. Raise `OSError`.

    It does not matter who wrote them: libgit2, git or an agent. `places` are worktrees or
    checkouts whose files are synced, too.
    """
    disk.sync(git_dir, Path(git_dir, "objects"), *places)
