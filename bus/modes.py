"""The modes that a terminal's output has set, for a client that joins later."""

import re

KEPT = frozenset({1, 25, 47, 1000, 1002, 1003, 1004, 1006, 1015, 1047, 1049, 2004})
"""DEC private modes that last until they are reset.

They are cursor keys, cursor, alternate screen, mouse, focus and bracketed paste.
"""

_MODE = re.compile(rb"\x1b\[\?([0-9;]{1,40})([hl])")
_BEGUN = re.compile(rb"\x1b(\[(\?[0-9;]{0,40})?)?\Z")


class Modes:
    """The modes after the output that was noted, and the sequence that its end may have cut."""

    def __init__(self) -> None:
        self.on: dict[int, bool] = {}
        """The modes that were set (True) or reset (False)."""
        self.cut = b""
        """The beginning of a sequence, whose rest comes with the next piece."""

    def note(self, data: bytes) -> None:
        """Note the next piece of output."""
        data = self.cut + data
        for numbers, word in _MODE.findall(data):
            for text in numbers.split(b";"):
                if text and (number := int(text)) in KEPT:
                    self.on[number] = word == b"h"
        found = _BEGUN.search(data, max(0, len(data) - 64))
        self.cut = found[0] if found else b""

    def sequence(self) -> bytes:
        """Return the output that sets and resets these modes; the next piece may follow it."""
        modes = (b"\x1b[?%d%s" % (mode, b"h" if on else b"l") for mode, on in self.on.items())
        return b"".join(modes) + self.cut
