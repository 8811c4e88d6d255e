"""Make a repository durable before anybody is told what is in it."""

from pathlib import Path

from actors.platform import disk


def settle(git_dir: str, *places: str) -> None:
    """Write objects, packs, refs and reflogs to the disk, whoever wrote them (libgit2, git, the
    agents), and the files of these worktrees or checkouts. Raises `OSError`.
    """
    disk.sync(git_dir, Path(git_dir, "objects"), *places)
