"""The attributes of a commit, and the programs that they name: merge drivers and filters.

Git reads attributes from the `.gitattributes` of the tree, from `info/attributes`, and from a file
of the user's.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from actors.git.reading.commits import tree_of
from actors.git.running.command import git, split0
from actors.git.running.library import pygit2
from actors.platform.files import read_bounded
from bus.user import file_of_user

_ATTRIBUTES: Final = ".gitattributes"
_ATTRIBUTE_BYTES: Final = 1 << 24
"""Bytes of a file of attributes that are searched."""
_USERS: Final = "~/.config/git/attributes"

Files = tuple[tuple[str, bytes], ...]


class Kind(StrEnum):
    """An attribute whose value names programs. The values are the names of git's attributes."""

    MERGE = "merge"
    FILTER = "filter"


_PROGRAMS: Final = {Kind.MERGE: ("driver",), Kind.FILTER: ("process", "smudge", "clean")}
"""The keys of the settings that hold the programs; the first that is set counts."""
BUILT_IN: Final = frozenset({"text", "binary", "union"})
"""The merge drivers of git itself."""


class Attributes:
    """The attribute files in a repository's commits, cached by git tree. For one thread."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo
        self._known: dict[pygit2.Oid, Files] = {}

    def of(self, commit: str) -> Files:
        """Return the path and the text of each `.gitattributes` in a commit."""
        return self._below(tree_of(self._repo, commit))

    def _below(self, tree: pygit2.Tree) -> Files:
        found = self._known.get(tree.id)
        if found is None:
            found = self._known[tree.id] = tuple(self._read(tree))
        return found

    def _read(self, tree: pygit2.Tree) -> Iterator[tuple[str, bytes]]:
        for entry in tree:
            name = entry.raw_name or b""
            if isinstance(entry, pygit2.Tree):
                for path, text in self._below(entry):
                    yield os.path.join(os.fsdecode(name), path), text  # noqa: PTH118
            elif name == _ATTRIBUTES.encode() and stat.S_ISREG(entry.filemode):
                assert isinstance(entry, pygit2.Blob)
                yield _ATTRIBUTES, entry.data


def named(git_dir: str, files: Files, kind: Kind) -> set[str]:
    """Return the names that the attributes of a kind have in some attribute file.

    The files are `files` (those of a commit), that of the repository and that of the user.
    """
    texts = [text for _, text in files]
    place = _settings(git_dir, r"^core\.attributesfile$").get("core.attributesfile", _USERS)
    for other in filter(None, (Path(git_dir, "info", "attributes"), file_of_user(place))):
        with contextlib.suppress(OSError):
            texts.append(read_bounded(other, _ATTRIBUTE_BYTES))
    pattern = re.compile(rb"\b%s=(\S+)" % kind.encode())
    lines = [line for text in texts for line in text.split(b"\n") if not line.startswith(b"#")]
    return {os.fsdecode(name) for line in lines for name in pattern.findall(line)}


def configured(git_dir: str, files: Files, kind: Kind) -> dict[str, str]:
    """Return the command of each name that some attribute file has and that is configured."""
    names = named(git_dir, files, kind)
    if not names:
        return {}
    known = _settings(git_dir, rf"^{kind}\..*\.({'|'.join(_PROGRAMS[kind])})$")
    found = {}
    for name in sorted(names):
        commands = (known.get(f"{kind}.{name}.{key}") for key in _PROGRAMS[kind])
        command = next((each for each in commands if each is not None), None)
        if command is not None:
            found[name] = command
    return found


def _settings(git_dir: str, pattern: str) -> dict[str, str]:
    """Return the settings whose name (section and key in lower case) matches `pattern`."""
    lines = split0(git("config", "-z", "--get-regexp", pattern, at=git_dir, codes=(0, 1)))
    return {key: value for key, _, value in (line.partition("\n") for line in lines)}
