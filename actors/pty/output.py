"""A terminal's output, read from disk by whoever looks; the host need not be alive.

DIR is the directory of one host. Offsets are absolute, in bytes, and never change.
"""

import codecs
from pathlib import Path

from actors.host import segments


def size(directory: Path) -> int:
    """The offset after the last byte on disk; 0 when there is none."""
    files = _listing(directory)
    return sum(files[-1]) if files else 0


def start(directory: Path) -> int:
    """The offset of the first byte that is still on disk."""
    files = _listing(directory)
    return files[0][0] if files else 0


def read(directory: Path, offset: int, limit: int) -> tuple[int, bytes]:
    """Up to limit bytes from offset: (real offset, bytes).

    The real offset is greater when bytes were dropped or lost there, and is the end of the log
    when there are no bytes from offset on. Any thread. Raises OSError when the disk cannot be read.
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
    except FileNotFoundError:  # the host has not come so far
        return []


class Text:
    """Output as text, piece by piece; a character cut by a read waits for its other half."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._next = -1

    def feed(self, offset: int, data: bytes) -> str:
        """The whole characters there are now. After a hole, what was half is shown as U+FFFD."""
        lost = ""
        if self._next not in (-1, offset):
            lost = self._decoder.decode(b"", final=True)
            self._decoder.reset()
        self._next = offset + len(data)
        return lost + self._decoder.decode(data)


def tail(directory: Path, limit: int) -> str:
    """The last characters, at most limit bytes of them, beginning at a character."""
    end = size(directory)
    _, data = read(directory, max(0, end - limit), limit)
    if end > limit:
        for cut, byte in enumerate(data[:4]):
            if byte & 0xC0 != 0x80:  # not the inside of a character
                data = data[cut:]
                break
    return data.decode("utf-8", "replace")
