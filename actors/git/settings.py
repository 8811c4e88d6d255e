"""The user's git settings that could change a result: which are honoured, pinned, or said.

`command.PINNED` are given to every git that Callboard runs itself, whatever the user has set;
`SAID` are told by `check` where the user has set them, because Callboard does otherwise. All others
are honoured: git reads them. docs/git-settings.md says why, setting by setting.
"""

from collections.abc import Callable, Iterator
from typing import Final

from actors.git.command import git, split0

FOR_AGENTS: Final = {
    "core.commentChar": ";",  # a line that begins with `#done` is no comment
    "core.fsync": "objects,reference",
    "core.fsyncMethod": "batch",
}
"""Given to the programs of terminals. What an agent commits is on the disk when its `git` ends:
otherwise a power cut leaves empty objects, which git takes for what it has and never writes again.
"""

_TRUE: Final = {"", "true", "yes", "on", "1"}


def _is_on(value: str) -> bool:
    return value.lower() in _TRUE


def _is_there(_value: str) -> bool:
    return True


def for_agents() -> dict[str, str]:
    """Return `FOR_AGENTS` as variables of the environment."""
    found = {"GIT_CONFIG_COUNT": str(len(FOR_AGENTS))}
    for number, (key, value) in enumerate(FOR_AGENTS.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


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
"""By name (section and key in lower case): when it is said, and what."""


def notes(at: str, target: str) -> Iterator[str]:
    """Yield a sentence for each setting that is in force at a checkout and that is `SAID`."""
    known = _settings(at)
    for key, (matters, sentence) in SAID.items():
        name = key.format(target=target)
        if name in known and matters(known[name]):
            yield f"git's {name} is set: {sentence}"


def _settings(at: str) -> dict[str, str]:
    """The user's settings, the last value of each; a key without a value is "", which means true.

    Those of the command line are ours.
    """
    words = split0(git("config", "-z", "--list", "--show-scope", at=at))
    lines = [
        line for scope, line in zip(words[::2], words[1::2], strict=True) if scope != "command"
    ]
    return {key: value for key, _, value in (line.partition("\n") for line in lines)}
