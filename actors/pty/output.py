"""Reading a terminal's output from disk. The host need not run.

`directory` is the directory of one host. Offsets are absolute, in bytes, and never change. Any
thread may call these functions.
"""

import codecs
import re
from pathlib import Path

from actors.host import segments

_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, moves, erases
    r"|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS and other strings: titles, links
    r"|[ -/]*[0-~])"
)


def size(directory: Path) -> int:
    """Return the offset after the last byte on disk; 0 if there is none."""
    files = _listing(directory)
    return sum(files[-1]) if files else 0


def start(directory: Path) -> int:
    """Return the offset of the first byte that is still on disk."""
    files = _listing(directory)
    return files[0][0] if files else 0


def read(directory: Path, offset: int, limit: int) -> tuple[int, bytes]:
    """Return up to `limit` bytes from `offset` on, as (real offset, bytes).

    The real offset is greater if bytes were dropped or lost there. It is the end of the log if
    there are no bytes from `offset` on. Raise OSError if the disk cannot be read.
    """
    files = _listing(directory)
    real, data = segments.read(str(directory / "out"), files, offset, limit)
    while data and len(data) < limit:
        following, more = segments.read(
            str(directory / "out"), files, real + len(data), limit - len(data)
        )
        if not more or following != real + len(data):
            break
        data += more
    return real, data


def _listing(directory: Path) -> list[list[int]]:
    try:
        return segments.listing(str(directory / "out"))
    except FileNotFoundError:  # the host has not created it yet
        return []


class Text:
    """Decodes output piece by piece. A character cut by a read waits for its other bytes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._next = -1

    def feed(self, offset: int, data: bytes) -> str:
        """Return the complete characters so far. One that a hole has cut becomes U+FFFD."""
        lost = ""
        if self._next not in (-1, offset):
            lost = self._decoder.decode(b"", final=True)
            self._decoder.reset()
        self._next = offset + len(data)
        return lost + self._decoder.decode(data)


def tail(directory: Path, limit: int) -> str:
    """Return the end of the output as `plain` text, from at most `limit` bytes.

    It begins at a whole character.
    """
    end = size(directory)
    _, data = read(directory, max(0, end - limit), limit)
    if end > limit:
        for cut, byte in enumerate(data[:4]):
            if byte & 0xC0 != 0x80:  # not the inside of a character
                data = data[cut:]
                break
    return plain(data.decode("utf-8", "replace"))


def plain(text: str) -> str:
    r"""Return a program's output as lines, without escape sequences and overwritten progress.

    >>> plain("\x1b[32mok\x1b[0m\r\n1 of 2\r2 of 2\r\n")
    'ok\n2 of 2\n'
    """
    lines = _SEQUENCE.sub("", text).split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
