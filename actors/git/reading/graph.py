"""Questions about the commit graph: ancestors, merge bases, reachable commits.

libgit2 answers them, because it is fast. Where it cannot read a commit, `git` is asked.
"""

import pygit2
from pygit2.enums import SortMode

from actors.git.running.command import git, git_line


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
        walker = repo.walk(tip, SortMode.NONE)
        for oid in hidden:
            walker.hide(oid)
        return {str(commit.id) for commit in walker}
    except pygit2.GitError:
        revisions = [tip, *(f"^{oid}" for oid in hidden)]
        output = git("rev-list", "--stdin", at=repo.path, stdin="\n".join(revisions).encode())
        return set(output.decode().split())
