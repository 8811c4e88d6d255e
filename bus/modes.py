"""The modes that a terminal's output has set, for a client that joins later."""

import re

KEPT = frozenset({1, 25, 47, 1000, 1002, 1003, 1004, 1006, 1015, 1047, 1049, 2004})
"""DEC private modes that last until they are reset.

They are cursor keys, cursor, alternate screen, mouse, focus and bracketed paste.
"""

_MODE = re.compile(rb"\x1b\[\?([0-9;]{1,40})([hl])")


def note(data: bytes, modes: dict[int, bool]) -> None:
    """Record in `modes` which modes a piece of output sets (True) and resets (False)."""
    for numbers, word in _MODE.findall(data):
        for text in numbers.split(b";"):
            if text and (number := int(text)) in KEPT:
                modes[number] = word == b"h"


def sequence(modes: dict[int, bool]) -> bytes:
    """Return the output that sets or resets these modes."""
    return b"".join(b"\x1b[?%d%s" % (number, b"h" if on else b"l") for number, on in modes.items())
