"""Find the files of a worktree that differ from its HEAD."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from actors.git.running.command import NOT_INSIDE, git
from actors.git.running.places import Within
from actors.platform.files import open_regular

_MOST = 1 << 30
"""Bytes of a file that is compared; a larger one, which may be sparse, counts as changed."""


def changed(
    worktree: str, *, untracked: bool = False, within: Within | None = None
) -> Iterator[str]:
    """Yield the files that differ from HEAD, in the index or on disk, by `git status`.

    With `untracked`, yield also the files and directories that are neither tracked nor ignored.
    `within` is what is believed of a worktree that an agent can write.

    A file with the exact bytes of the index counts as unchanged. Git may call it modified, because
    line-end conversion or a filter would change it when it is committed.
    """
    others = f"--untracked-files={'normal' if untracked else 'no'}"
    output = git("status", "--porcelain=v2", "-z", others, NOT_INSIDE, at=worktree, within=within)
    parts = iter(output.split(b"\0"))
    for part in parts:
        match part[:1]:
            case b"1":
                _, xy, sub, _, mode, now, _, oid, name = part.split(b" ", 8)
                same = xy == b".M" and sub == b"N..." and mode == now
                if not (same and is_as_staged(Path(worktree, os.fsdecode(name)), oid)):
                    yield os.fsdecode(name)
            case b"2":
                yield os.fsdecode(part.split(b" ", 9)[9])
                yield os.fsdecode(next(parts, b""))  # its name before
            case b"u":
                yield os.fsdecode(part.split(b" ", 10)[10])
            case b"?":
                yield os.fsdecode(part[2:])


def is_as_staged(path: Path, oid: bytes) -> bool:
    """Return whether `path` is a regular file with the exact bytes of blob `oid`."""
    try:
        fd = open_regular(path, follow=False)
        with os.fdopen(fd, "rb") as file:
            size = os.fstat(fd).st_size
            if size > _MOST:
                return False
            digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return False
    return digest.hexdigest().encode() == oid
