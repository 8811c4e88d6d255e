"""Check branch names: each by itself, and against other branches."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from actors.git.running.errors import RepositoryError, Rule
from actors.git.running.library import pygit2

_COMPONENT: Final = 250
"""Most bytes of one part of a name: a file name holds 255, and git needs five for `.lock`."""


def check_name(name: str) -> None:
    """Refuse a branch name that git would refuse, and `@`. Raise `RepositoryError`.

    Git's rules are those of `git check-ref-format --branch`. `@` means HEAD to git's commands.
    """
    ref = f"refs/heads/{name}"
    bad = (
        name.startswith("-")
        or name in ("HEAD", "@")
        or not name.isprintable()
        or not pygit2.reference_is_valid_name(ref)
        or any(len(part.encode(errors="replace")) > _COMPONENT for part in name.split("/"))
    )
    if bad:
        raise RepositoryError(
            Rule.BRANCH_NAME,
            f"{name[:80]!r} cannot be the name of a branch",
            "use letters, digits, '-', '_', '.' and '/', as in feat/login",
        )


def check_together(names: Iterable[str], existing: Mapping[str, str], *, ignore_case: bool) -> None:
    """Refuse names that exclude each other or an existing branch. Raise `RepositoryError`.

    Git keeps a branch as a file, so `a` and `a/b` exclude each other. On a file system that ignores
    case, `a` and `A` do, too. `existing` maps branch names (without `refs/heads/`) to ids.
    """
    taken = {_fold(name, ignore_case): name for name in existing}
    for name in names:
        folded = _fold(name, ignore_case)
        twin = taken.get(folded)
        if twin is not None and twin != name:
            _refuse(name, twin)
        parts = folded.split("/")
        for count in range(1, len(parts)):
            if (above := taken.get("/".join(parts[:count]))) is not None:
                _refuse(name, above)
        below = next((known for key, known in taken.items() if key.startswith(folded + "/")), None)
        if below is not None:
            _refuse(name, below)
        taken[folded] = name


def _fold(name: str, ignore_case: bool) -> str:
    return unicodedata.normalize("NFC", name).casefold() if ignore_case else name


def _refuse(name: str, other: str) -> None:
    raise RepositoryError(
        Rule.BRANCH_CONFLICT,
        f"branch {name!r} cannot stand beside branch {other!r}",
        "git keeps branches as files and directories; choose another name",
    )
