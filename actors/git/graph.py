"""How commits hang together.

Asked of libgit2, which is quick; of `git`, where libgit2 cannot read a commit that git can.
"""

import pygit2
from pygit2.enums import SortMode

from actors.git.command import git, git_line


def exists(repo: pygit2.Repository, oid: str) -> bool:
    """Whether the object is there. It is not read."""
    return oid in repo.odb


def descends(repo: pygit2.Repository, base: str, tip: str) -> bool:
    """Whether `tip` is `base` or has it among its ancestors; False when either is missing."""
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
    """Return the commit at which two histories parted; None when they share none."""
    try:
        found = repo.merge_base(one, other)
    except pygit2.GitError:
        return git_line("merge-base", one, other, at=repo.path, codes=(0, 1)) or None
    return None if found is None else str(found)


def reachable(repo: pygit2.Repository, tip: str, hidden: list[str]) -> set[str]:
    """Return the commits that `tip` reaches and none of `hidden` does."""
    try:
        walker = repo.walk(tip, SortMode.NONE)
        for oid in hidden:
            walker.hide(oid)
        return {str(commit.id) for commit in walker}
    except pygit2.GitError:
        revisions = [tip, *(f"^{oid}" for oid in hidden)]
        output = git("rev-list", "--stdin", at=repo.path, stdin="\n".join(revisions).encode())
        return set(output.decode().split())
