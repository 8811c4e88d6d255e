"""Which of the user's git settings Callboard honours, overrides or reports.

- `command.PINNED` overrides the user's settings for every git that Callboard itself runs.
- `SAID` lists the settings that Callboard does not follow; `check` reports those the user has set.
- All others are honoured, because git reads them.

docs/git-settings.md gives the reason for each setting.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from actors.git.running.command import as_variables
from actors.git.running.converting import EVERY, matching

FOR_AGENTS: Final = {
    "core.commentChar": ";",  # so that a line that begins with `#done` is not a comment
    "core.fsync": "objects,reference",
    "core.fsyncMethod": "batch",
}
"""Settings for the programs of terminals.

With `core.fsync`, an agent's commit is on the disk when its `git` ends. Otherwise a power cut could
leave empty object files, which git takes for existing objects and never writes again.
"""

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
    "rerere.enabled": (
        _is_on,
        "a conflict is laid out as it is; `git rerere` in its worktree takes a recorded resolution",
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
    known = matching(at, EVERY)
    for key, (matters, sentence) in SAID.items():
        name = key.format(target=target)
        if name in known and matters(known[name]):
            yield f"git's {name} is set: {sentence}"
