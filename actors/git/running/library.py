"""Open a repository with libgit2."""

import pygit2
from pygit2.enums import RepositoryOpenFlag


def opened(git_dir: str) -> pygit2.Repository:
    """Open a repository without its checkout, as if it were bare.

    So no setting (`core.worktree`, `core.bare`), which an agent may have changed, keeps its objects
    from being read. Raise `pygit2.GitError`.
    """
    return pygit2.Repository(git_dir, RepositoryOpenFlag.BARE)
