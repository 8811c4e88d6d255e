"""Questions about the commit graph: ancestors, merge bases, reachable commits.

libgit2 answers them, because it is fast. Where it cannot read a commit, `git` is asked.
"""

from __future__ import annotations

from actors.git.reading.commits import read
from actors.git.running.command import git, git_line
from actors.git.running.library import pygit2


def exists(repo: pygit2.Repository, oid: str) -> bool:
    """Return whether the object is there, without reading it."""
    return oid in repo.odb


def descends(repo: pygit2.Repository, base: str, tip: str) -> bool:
    """Return whether `tip` is `base` or descends from it; False when either is missing."""
    if not exists(repo, base) or not exists(repo, tip):
        return False
    if base == tip:
        return True
    try:
        return repo.descendant_of(tip, base)
    except pygit2.GitError:
        found = git("rev-list", "--max-count=1", f"{base}", f"^{tip}", at=repo.path)
        return not found.strip()


def merge_base(repo: pygit2.Repository, one: str, other: str) -> str | None:
    """Return the best common ancestor of two commits; None when they have none."""
    try:
        found = repo.merge_base(one, other)
    except pygit2.GitError:
        return git_line("merge-base", one, other, at=repo.path, codes=(0, 1)) or None
    return None if found is None else str(found)


def reachable(repo: pygit2.Repository, tip: str, hidden: list[str]) -> set[str]:
    """Return the commits that are reachable from `tip` and from none of `hidden`."""
    try:
        walker = repo.walk(tip, pygit2.enums.SortMode.NONE)
        for oid in hidden:
            walker.hide(oid)
        return {str(commit.id) for commit in walker}
    except pygit2.GitError:
        revisions = [tip, *(f"^{oid}" for oid in hidden)]
        output = git("rev-list", "--stdin", at=repo.path, stdin="\n".join(revisions).encode())
        return set(output.decode().split())


class Contents:
    """What a commit contains, while branches are merged onto it one after another.

    libgit2 would walk all merges made so far for each further branch. So this asks only about the
    `base`, which stays, and notes what the branches brought. For one thread.
    """

    def __init__(self, repo: pygit2.Repository, base: str) -> None:
        self._repo = repo
        self._base = base
        self._brought: set[str] = set()
        self._tip = ""
        self._new: set[str] = set()
        """The commits of `_tip` that the base has not."""
        self._in_base: dict[str, bool] = {}

    def have(self, tip: str) -> bool:
        """Return whether `tip` is contained."""
        return tip in self._brought or tip not in self._beyond(tip)

    def meet(self, tip: str) -> bool:
        """Return whether `tip` has an ancestor here."""
        if self.fork(tip) is not None or not self._beyond(tip).isdisjoint(self._brought):
            return True
        return merge_base(self._repo, self._base, tip) is not None

    def fork(self, tip: str) -> str | None:
        """Return the commit here at which the branch of `tip` began.

        None if that branch has merges: then there may be several.
        """
        at, beyond = tip, self._beyond(tip)
        while at in beyond and at not in self._brought:
            commit = read(self._repo, at)
            if commit is None or len(commit.parents) != 1:
                return None
            at = commit.parents[0]
        return at if at in self._brought or self._is_in_base(at) else None

    def bring(self, tip: str, commit: str) -> None:
        """Note that `tip` was merged, by `commit`."""
        self._brought |= self._beyond(tip) | {commit}

    def _beyond(self, tip: str) -> set[str]:
        if tip != self._tip:
            self._new = reachable(self._repo, tip, [self._base])
            self._tip = tip
        return self._new

    def _is_in_base(self, oid: str) -> bool:
        if oid not in self._in_base:
            self._in_base[oid] = descends(self._repo, oid, self._base)
        return self._in_base[oid]
