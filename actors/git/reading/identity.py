"""The author of merges: the user, as git identifies the user at a checkout."""

import re
from typing import Final

import msgspec

from actors.git.running.command import GitRefused, git

_LINE: Final = re.compile(r"(.+) <(.*)> -?\d+ [+-]\d+\s*")
_NOBODY: Final = "tell me who you are|was given|auto-detect|empty ident|disallowed characters"
_TEXT: Final = re.compile(r"(.+) <(.*)>", re.DOTALL)


class Identity(msgspec.Struct, frozen=True):
    """A name and an email address."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    def variables(self) -> dict[str, str]:
        """Return the environment variables that make this the author and the committer."""
        return {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", self.name), ("EMAIL", self.email))
        }


CALLBOARD: Final = Identity("Callboard", "callboard@localhost")


def identity(at: str) -> Identity:
    """Return the identity with which the user commits at a checkout, or `CALLBOARD` if none is set.

    Git itself is asked, because conditional includes (`includeIf`) may set the identity. An address
    that git would make up from the machine's name does not count. Raise `GitUnknown` if git does
    not say.
    """
    command = ("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
    try:
        output = git(*command, at=at, refusals=_NOBODY)
    except GitRefused:
        return CALLBOARD
    found = _LINE.fullmatch(output.decode("utf-8", "replace"))
    return Identity(found[1], found[2]) if found else CALLBOARD


def can_commit(at: str) -> bool:
    """Return whether git can commit at a directory.

    Without a name, as in many containers, each commit of an agent fails.
    """
    try:
        git("var", "GIT_COMMITTER_IDENT", at=at, refusals=_NOBODY)
        git("var", "GIT_AUTHOR_IDENT", at=at, refusals=_NOBODY)
    except GitRefused:
        return False
    return True


NO_IDENTITY: Final = "git knows no name and address to commit with: commits of agents will fail"
HOW_TO_SET: Final = 'git config --global user.name "NAME"; git config --global user.email ADDRESS'


def of_text(text: str) -> Identity | None:
    """Parse the text that `str(identity)` gives; return None for any other text."""
    found = _TEXT.fullmatch(text)
    return Identity(found[1], found[2]) if found else None
