"""Check that the objects of a commit are what their names say.

Git does not compare an object with its name when it reads one; a clone over the network does. So a
program that writes into the object store can show a checkout other bytes than a clone gets.
"""

from __future__ import annotations

from typing import Final

from actors.git.running.command import GitRefused, git
from actors.git.running.library import opened, pygit2

_MISSING: Final = "bad object|bad tree|missing|corrupt|unable to read|could not|cannot parse"


def damage(git_dir: str, old: str, new: str) -> str:
    """Return what is wrong with the objects that `new` has and `old` has not; "" if nothing is.

    libgit2 reads each object, because it compares the bytes with the name.
    """
    try:
        listed = git("rev-list", "--objects", new, f"^{old}", at=git_dir, refusals=_MISSING)
    except GitRefused as error:
        return error.stderr
    repo = opened(git_dir)
    for line in listed.split(b"\n")[:-1]:  # a name may have a \r
        name = line[:40].decode("ascii")
        try:
            repo.read(name)
        except (KeyError, pygit2.GitError) as error:
            return f"object {name}: {error}"
    return ""
