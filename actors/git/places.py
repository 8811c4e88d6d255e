"""Where a repository's files are: its git directory, its main checkout, a place within it.

Git derives these from settings that anybody who can write the shared configuration may change
(`core.bare`, `core.worktree`). So they are derived from what lies on the disk, and `command.git` is
told them explicitly (`explicit`).
"""

from pathlib import Path

import pygit2


def own_git_dir(checkout: str | Path) -> Path | None:
    """The git directory that the `.git` of this directory is, links to, or names; else None."""
    dot = Path(checkout, ".git")
    try:
        if dot.is_dir():
            return dot.resolve()
        text = dot.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    name = text.removeprefix("gitdir:").strip()
    return (dot.parent / name).resolve() if text.startswith("gitdir:") else None


def explicit(at: str) -> dict[str, str]:
    """Variables that keep git in the checkout `at`, whatever the configuration says of bare
    repositories and other worktrees. None for a directory that is not the root of a checkout.
    """
    git_dir = own_git_dir(at)
    if git_dir is None:
        return {}
    return {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(Path(at).resolve())}


def root_of(repo: str | Path) -> Path | None:
    """The checkout in which this directory lies: the nearest one above it that has a `.git`."""
    start = Path(repo).resolve()
    return next((each for each in (start, *start.parents) if own_git_dir(each)), None)


def place_within(repo: str | Path) -> Path:
    """The way from the checkout's root to this directory: `packages/web`, or `.`."""
    root = root_of(repo)
    return Path() if root is None else Path(repo).resolve().relative_to(root)


def main_workdir(git_dir: str, repo: str = "") -> str | None:
    """The user's own checkout; None for a bare repository.

    `repo` is a directory in it, or in another worktree: without it, a checkout apart from its git
    directory may not be found.
    """
    home = Path(git_dir).resolve()
    named = _configured(home)
    if named is not None:
        return str(named)
    root = root_of(repo) if repo else None
    for place in (root, home.parent):
        if place is not None and own_git_dir(place) == home and not is_bare(git_dir):
            return str(place)
    return None


def is_bare(git_dir: str) -> bool:
    """Whether it has no checkout of its own.

    One that has an index was checked out, whoever set `core.bare` afterwards.
    """
    config = pygit2.Config(str(Path(git_dir, "config")))
    bare = "core.bare" in config and config.get_bool("core.bare")
    return bare and not Path(git_dir, "index").exists()


def _configured(git_dir: Path) -> Path | None:
    """The directory that `core.worktree` names, if it is a checkout of this repository."""
    for file in ("config.worktree", "config"):
        try:
            config = pygit2.Config(str(git_dir / file))
        except OSError:
            continue
        if "core.worktree" in config:
            place = (git_dir / str(config["core.worktree"])).resolve()
            return place if own_git_dir(place) == git_dir else None
    return None
