"""Which of the user's git settings Callboard honours, overrides or reports.

- `command.PINNED` overrides the user's settings for every git that Callboard itself runs.
- `SAID` lists the settings that Callboard does not follow; `check` reports those the user has set.
- All others are honoured, because git reads them.

docs/git-settings.md gives the reason for each setting.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from actors.git.running.command import as_variables, git, overriding, split0
from actors.git.running.places import Within

FOR_AGENTS: Final = {
    "core.commentChar": ";",  # so that a line that begins with `#done` is not a comment
    "core.fsync": "objects,reference",
    "core.fsyncMethod": "batch",
}
"""Settings for the programs of terminals.

With `core.fsync`, an agent's commit is on the disk when its `git` ends. Otherwise a power cut could
leave empty object files, which git takes for existing objects and never writes again.
"""

CONVERTING: Final = re.compile(
    r"filter\..+\.(clean|smudge|process|required)"
    r"|core\.(autocrlf|eol|symlinks|filemode|ignorecase|precomposeunicode|attributesfile)"
    r"|lfs\.(.+\.)?(standalonetransferagent|customtransfer\..+|extension\..+)"
)
"""Settings (section and key in lower case) that decide which bytes a checkout has, and which
programs write them."""

_FILTER: Final = re.compile(r"filter\.(.+)\.[^.]+")
_IDLE: Final = {"clean": "", "smudge": "", "process": "", "required": "false"}

_TRUE: Final = {"", "true", "yes", "on", "1"}


def _is_on(value: str) -> bool:
    return value.lower() in _TRUE


def _is_there(_value: str) -> bool:
    return True


def for_agents(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `FOR_AGENTS`, and `more` settings by key, as environment variables."""
    return as_variables({**FOR_AGENTS, **(more or {})})


SAID: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "commit.gpgsign": (
        _is_on,
        "Callboard's merge commits are not signed; an agent's commits are, and wait if a passphrase"
        " is asked for",
    ),
    "merge.verifysignatures": (
        _is_on,
        "Callboard merges the branches without verifying signatures",
    ),
    "submodule.recurse": (
        _is_on,
        "Callboard changes no submodules; run `git submodule update` when a merge has landed",
    ),
    "rerere.autoupdate": (
        _is_on,
        "a recorded resolution is laid out in a conflict, and is still to be checked and committed",
    ),
    "worktree.userelativepaths": (
        _is_on,
        "Callboard's worktrees have absolute paths, which every git can read",
    ),
    "branch.{target}.mergeoptions": (
        _is_there,
        "Callboard's merges into the target do not use these options",
    ),
}
"""By name (section and key in lower case): the values that are reported, and the sentence."""


def notes(at: str, target: str) -> Iterator[str]:
    """Yield the sentence of each setting in `SAID` that is in force at a checkout."""
    known = matching(at, _ANY)
    for key, (matters, sentence) in SAID.items():
        name = key.format(target=target)
        if name in known and matters(known[name]):
            yield f"git's {name} is set: {sentence}"


def converting(at: str) -> dict[str, str]:
    """Return the settings of `CONVERTING` that are in force at a checkout."""
    return matching(at, CONVERTING)


@contextlib.contextmanager
def as_submitted(
    git_dir: str, known: Mapping[str, str] | None, worktree: str = ""
) -> Iterator[None]:
    """Have every git that this thread runs meanwhile run no filter but those of the submission.

    `known` are the settings that `converting` returned when the plan was submitted; None, of a
    workflow of an older version, changes nothing. A filter that the repository `git_dir`, or its
    own configuration of `worktree`, has configured or changed since converts nothing (hazard 59).
    Files outside the repository are the user's: what they say counts. It holds in a sandbox, too.
    Raise `GitFailed` if git cannot say what is configured now.
    """
    if known is None:
        yield
        return
    here = _of_repository(git_dir, worktree)
    now = {key: value for key, value in here.items() if not key.startswith("core.")}
    changed = {key for key, value in now.items() if known.get(key) != value}
    pinned = {key: value for key, value in now.items() if key not in changed}
    pinned |= {key: "" for key in changed if key.startswith("lfs.")}
    pinned |= no_filters(filters_of(dict.fromkeys(changed, "")))
    with overriding({key: _as_text(key, value) for key, value in pinned.items()}):
        yield


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


_ANY: Final = re.compile(".*", re.DOTALL)


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
