"""The settings that decide which bytes a checkout has, and the filters that our git may run.

`converting` reads them when a plan is submitted, and `as_submitted` keeps our git to them.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from actors.git.running.command import git, overriding, split0
from actors.git.running.places import Within

CONVERTING: Final = re.compile(
    r"filter\..+\.(clean|smudge|process|required)"
    r"|core\.(autocrlf|eol|symlinks|filemode|ignorecase|precomposeunicode|attributesfile)"
    r"|lfs\.(.+\.)?(standalonetransferagent|customtransfer\..+|extension\..+)"
)
"""Settings (section and key in lower case) that decide which bytes a checkout has, and which
programs write them."""

_FILTER: Final = re.compile(r"filter\.(.+)\.[^.]+")
_IDLE: Final = {"clean": "", "smudge": "", "process": "", "required": "false"}


def converting(at: str) -> dict[str, str]:
    """Return the settings of `CONVERTING` that are in force at a checkout."""
    return matching(at, CONVERTING)


@contextlib.contextmanager
def as_submitted(
    git_dir: str, known: Mapping[str, str] | None, worktree: str = ""
) -> Iterator[frozenset[str]]:
    """Have every git that this thread runs meanwhile run no filter but those of the submission.

    `known` are the settings that `converting` returned when the plan was submitted; None, of a
    workflow of an older version, changes nothing. A filter that the repository `git_dir`, or its
    own configuration of `worktree`, has configured or changed since converts nothing (hazard 59).
    Files outside the repository are the user's: what they say counts. It holds in a sandbox, too.
    The names of the filters that convert nothing are handed in.
    Raise `GitFailed` if git cannot say what is configured now.
    """
    if known is None:
        yield frozenset()
        return
    here = _of_repository(git_dir, worktree)
    now = {key: value for key, value in here.items() if not key.startswith("core.")}
    changed = {key for key, value in now.items() if known.get(key) != value}
    pinned = {key: value for key, value in now.items() if key not in changed}
    pinned |= {key: "" for key in changed if key.startswith("lfs.")}
    idle = filters_of(dict.fromkeys(changed, ""))
    pinned |= no_filters(idle)
    with overriding({key: _as_text(key, value) for key, value in pinned.items()}):
        yield frozenset(idle)


def _of_repository(git_dir: str, worktree: str) -> dict[str, str]:
    """Of an unfinished worktree git says nothing: it is made anew, by the repository's settings."""
    found = matching(git_dir, CONVERTING, _OF_REPOSITORY)
    if worktree:
        with contextlib.suppress(FileNotFoundError):  # unknown: our git works in none such
            found |= matching(worktree, CONVERTING, _OF_REPOSITORY, Within(git_dir))
    return found


def _as_text(key: str, value: str) -> str:
    return value or ("true" if key.endswith(".required") else "")


def filters_of(settings: Mapping[str, str]) -> set[str]:
    """Return the names of the filters that these settings configure."""
    return {found[1] for key in settings if (found := _FILTER.fullmatch(key))}


def no_filters(names: set[str]) -> dict[str, str]:
    """Return settings with which the filters of these names convert nothing."""
    return {f"filter.{name}.{part}": to for name in sorted(names) for part, to in _IDLE.items()}


EVERY: Final = re.compile(".*", re.DOTALL)
_OF_REPOSITORY: Final = frozenset({"local", "worktree"})
_OF_ALL: Final = _OF_REPOSITORY | {"system", "global"}


def matching(
    at: str,
    wanted: re.Pattern[str],
    scopes: frozenset[str] = _OF_ALL,
    within: Within | None = None,
) -> dict[str, str]:
    """Return the settings in force whose whole name matches, the last value of each.

    A key without a value maps to "", which means true. Settings of the command line are left out:
    they are Callboard's own. `scopes` are git's words for the files that are read, `within` is
    what is believed of a worktree.
    """
    words = split0(git("config", "-z", "--list", "--show-scope", at=at, within=within))
    found = {}
    for scope, line in zip(words[::2], words[1::2], strict=True):
        key, _, value = line.partition("\n")
        if scope in scopes and wanted.fullmatch(key):
            found[key] = value
    return found
