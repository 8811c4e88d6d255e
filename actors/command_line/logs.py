"""Print a terminal's output, as text for people and `grep` or as its bytes."""

import codecs
import re
import sys
from pathlib import Path

from actors.command_line.client.reading import pieces
from bus import connection
from bus.client import Client
from bus.visible import visible

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"  # other escapes
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\x9c]*\x1b?|[ -/]*)?\Z")
_LONGEST = 4096
"""The length in characters after which an unfinished escape sequence is taken as text."""


class PlainText:
    """Turns a terminal's output, piece by piece, into lines of text."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""

    def feed(self, data: bytes) -> str:
        """Return the text of a piece. A sequence cut at its end is kept for the next call."""
        text = self._rest + self._decode(data)
        cut = _UNFINISHED.search(text, max(0, len(text) - _LONGEST))
        self._rest = text[cut.start() :] if cut is not None else ""
        if cut is not None:
            text = text[: cut.start()]
        text = _CONTROL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
        return "\n".join(map(visible, text.split("\n")))


def print_logs(home: Path, terminal: str, follow: bool, raw: bool) -> None:
    """Print a terminal's output so far, and new output with `follow`.

    Raise `Refused` if there is no such terminal.
    """
    out = sys.stdout.buffer
    plain = PlainText()
    at = 0
    with Client(connection.read(home).requests) as client:
        for piece in pieces(client, terminal, 0, follow):
            if piece.offset > at and not raw:
                out.write(f"\n[{piece.offset - at} bytes are gone]\n".encode())
            out.write(piece.data if raw else plain.feed(piece.data).encode())
            out.flush()
            at = piece.offset + len(piece.data)
