"""Read commits from their bytes.

Git stores any bytes as a name, any number as a date and any word as an encoding. libgit2 refuses
some of these, and Python refuses more. This module reads every commit, and the text that it
returns can always be stored and sent (hazard 73).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from actors.git.running.library import pygit2

_NAME: Final = 200
"""Most characters of an author that are kept."""
_MESSAGE: Final = 1 << 20
"""Most bytes of a message that are read."""
_WHO: Final = re.compile(rb"(.*?)\s*<([^>]*)>?(?:.*?(-?\d{1,20})(?: [+-]\d+)?)?\s*$", re.DOTALL)
_OID: Final = re.compile(r"[0-9a-f]{40}")
_MOST: Final = (1 << 63) - 1


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit, as the facts need it."""

    oid: str
    tree: str
    """The id of its tree; "" in a commit that is not sound."""
    parents: tuple[str, ...]
    author: str
    """`Name <email>`."""
    author_key: bytes
    """The raw author line of the commit; a rebase keeps its exact bytes."""
    written: int
    """Author time in seconds since 1970; a rebase or an amend keeps it."""
    message: str
    is_merge: bool


def read(repo: pygit2.Repository, oid: str) -> Commit | None:
    """Return the commit with this id; None if there is no such object, or it is not a commit."""
    try:
        kind, data = repo.read(oid)
    except (KeyError, ValueError):
        return None
    return _parse(oid, data) if kind == pygit2.enums.ObjectType.COMMIT else None


def tree_of(repo: pygit2.Repository, oid: str) -> pygit2.Tree:
    """Return the tree of a commit, also of one that libgit2 cannot read.

    Raise `KeyError` or `pygit2.GitError` if it is not there.
    """
    commit = read(repo, oid)
    return repo[commit.tree if commit is not None and commit.tree else oid].peel(pygit2.Tree)


def _parse(oid: str, data: bytes) -> Commit:
    head, _, message = data.partition(b"\n\n")
    lines = [line.partition(b" ") for line in head.split(b"\n")]
    parents = [value.decode("ascii", "replace") for key, _, value in lines if key == b"parent"]
    tree = next((value.decode("ascii", "replace") for key, _, value in lines if key == b"tree"), "")
    known = tuple(parent for parent in parents if _OID.fullmatch(parent))
    author = next((value for key, _, value in lines if key == b"author"), b"")
    encoding = next((value for key, _, value in lines if key == b"encoding"), b"utf-8")
    return Commit(
        oid=oid,
        tree=tree if _OID.fullmatch(tree) else "",
        parents=known,
        author=_text(_person(author), encoding)[:_NAME],
        author_key=author,
        written=_time(author),
        message=_text(message[:_MESSAGE], encoding),
        is_merge=len(known) > 1,
    )


def _person(line: bytes) -> bytes:
    found = _WHO.match(line[: 4 * _NAME])
    return found[1] + b" <" + found[2] + b">" if found else line[: 4 * _NAME]


def _time(line: bytes) -> int:
    found = re.search(rb"> *(-?\d{1,20})(?: |$)", line)
    return max(-_MOST, min(_MOST, int(found[1]))) if found else 0


def _text(raw: bytes, encoding: bytes) -> str:
    """Decode bytes of a commit to valid Unicode, whatever encoding the commit names."""
    try:
        text = raw.decode(encoding.decode("ascii"), "replace")
    except (LookupError, ValueError):  # unknown encoding, or one that cannot decode these bytes
        text = raw.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()
