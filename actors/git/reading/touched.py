"""Which files the commits of a branch touch, so that few pairs of branches need a trial merge."""

from __future__ import annotations

from actors.git.running.library import opened, pygit2

COMMITS, PATHS = 1_000, 50_000
"""Of a branch with more commits or paths it is not known what it touches."""


class Touched:
    """The paths that a branch touches, and the directories above them."""

    __slots__ = ("above", "paths")

    def __init__(self, paths: set[str]) -> None:
        self.paths = paths
        self.above: set[str] = set()
        for path in paths:
            above = path.rpartition("/")[0]
            while above and above not in self.above:
                self.above.add(above)
                above = above.rpartition("/")[0]


def common_start(git_dir: str, bases: list[str]) -> str | None:
    """Return the commit from which all of `bases` descend; None if there is none.

    Return None also if libgit2 cannot read one of the commits between.
    """
    if len(bases) < 2:
        return next(iter(bases), None)
    try:
        found = opened(git_dir).merge_base_octopus([pygit2.Oid(hex=b) for b in bases])
    except pygit2.GitError:
        return None
    return None if found is None else str(found)


def touched_since(git_dir: str, start: str, tip: str) -> Touched | None:
    """Return what the commits from `start` to `tip` touch, with both names of a renamed file.

    Return None if there are too many, or if libgit2 cannot read one. Each commit counts, so a
    change that was taken back is touched, too: it may be the other half of a conflict with a branch
    that began between.
    """
    try:
        return _touched(opened(git_dir), start, tip)
    except pygit2.GitError:
        return None


def _touched(repo: pygit2.Repository, start: str, tip: str) -> Touched | None:
    walker = repo.walk(tip, pygit2.enums.SortMode.NONE)
    walker.hide(start)
    paths: set[str] = set()
    for number, commit in enumerate(walker):
        for parent in commit.parents:
            diff = parent.tree.diff_to_tree(commit.tree)
            paths |= {name for d in diff.deltas for name in (d.old_file.path, d.new_file.path)}
        if not commit.parents:
            paths |= {delta.new_file.path for delta in commit.tree.diff_to_tree(swap=True).deltas}
        if number >= COMMITS or len(paths) > PATHS:
            return None
    return Touched(paths)


def may_conflict(one: Touched | None, other: Touched | None) -> bool:
    """Return whether two branches could conflict: they touch one path, or a file and a directory.

    One of which it is not known what it touches could conflict with any.
    """
    if one is None or other is None:
        return True
    return not (
        one.paths.isdisjoint(other.paths)
        and one.paths.isdisjoint(other.above)
        and one.above.isdisjoint(other.paths)
    )
