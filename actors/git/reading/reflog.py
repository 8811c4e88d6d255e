"""Read the reflog of a ref, newest entry first, from its file: messages may be any bytes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.platform.files import open_regular

_LINE: Final = re.compile(rb"[0-9a-f]{40} ([0-9a-f]{40}) ([^\t]*)\t?(.*)")
_TIME: Final = re.compile(rb" -?\d+ [+-]\d+\s*\Z")
_BYTES: Final = 2 << 20
"""How many bytes are read from the file's end: thousands of entries."""


def entries(git_dir: str, ref: str) -> Iterator[tuple[str, str]]:
    """Yield `(new object id, message)` of each entry; nothing when the ref has no reflog."""
    for oid, _, message in signed_entries(git_dir, ref):
        yield oid, message


def signed_entries(git_dir: str, ref: str) -> Iterator[tuple[str, str, str]]:
    """Yield `(new object id, name and address, message)`; who writes a reflog signs as he likes."""
    try:
        with os.fdopen(open_regular(Path(git_dir, "logs", ref)), "rb") as file:
            file.seek(max(0, file.seek(0, 2) - _BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return
    for line in reversed(lines):
        if found := _LINE.fullmatch(line):
            who = _TIME.sub(b"", found[2]).decode("utf-8", "replace")
            yield found[1].decode(), who, found[3].decode("utf-8", "replace")


def was_made_on(git_dir: str, ref: str, oid: str) -> bool:
    """Return whether git noted that the commit was made on this branch, not moved to it."""
    return any(new == oid and said.startswith("commit") for new, said in entries(git_dir, ref))
