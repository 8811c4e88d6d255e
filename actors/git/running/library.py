"""libgit2, loaded when something of it is first used, and a repository that is opened with it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["opened", "pygit2"]


class _Late:
    """The module `pygit2`, which is imported when a name of it is first asked for, in any thread.

    The import takes an eighth of the runtime's start, and a runtime without a plan opens no
    repository. Who uses it writes `from __future__ import annotations`, because an annotation that
    is evaluated asks for a name too.

    libgit2 does not ask who owns a repository: git's word counts (`actors.git.users.repository`).
    """

    def __getattr__(self, name: str) -> object:
        library = import_module("pygit2")
        if not vars(self):
            library.option(library.enums.Option.SET_OWNER_VALIDATION, False)
        value = getattr(library, name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import pygit2
else:
    pygit2 = _Late()


def opened(git_dir: str) -> pygit2.Repository:
    """Open a repository without its checkout, as if it were bare.

    So no setting (`core.worktree`, `core.bare`), which an agent may have changed, keeps its objects
    from being read. Raise `pygit2.GitError`.
    """
    return pygit2.Repository(git_dir, pygit2.enums.RepositoryOpenFlag.BARE)
