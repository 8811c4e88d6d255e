"""The output of a program, as a person's own terminal may be given it."""

import re

LEAVE = (
    b"\x1b[0m\x1b[?1049h\x1b[?1049l\x1b[?47l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"
    b"\x1b[?2004l\x1b[?1004l\x1b[?1l\x1b[?25h\x1b[<u\x1b[>4;0m\x1b>\x1b(B\x0f"
    b"\x1b7\x1b[r\x1b8"
)
"""A sequence that ends every mode that a program may have set. The cursor stays where it is: giving
the whole window back to scrolling would move it, and so would leaving an alternate screen that is
not entered."""

_QUESTION = re.compile(
    rb"\x1b\[(?:[?>=]?[0-9;]{0,20}[nc]|\??[0-9;]{0,20}\$p|\?u|&u|1[13-9]t|2[01]t|>[0-9;]{0,8}q"
    rb"|[01]?x)"
    rb"|\x1b\](?![01278];)[0-9]{1,5};[^\x07\x1b]{0,4096}\?(?:\x07|\x1b\\)"
    rb"|\x1b\]1337;ReportCellSize(?:\x07|\x1b\\)"
    rb"|\x1b_G[^\x1b;]{0,200}a=q[^\x1b]{0,4096}\x1b\\"
    rb"|\x1b\]52;[^\x07\x1b]{0,65536}(?:\x07|\x1b\\)"
    rb"|\x1bP(?:\+q|\$q)[^\x1b]{0,4096}\x1b\\"
    rb"|\x1bZ|\x05"
)
"""Questions to the terminal. They are removed, because the host has answered them and this terminal
must not answer again: what it answers would be typed into the program. OSC 52 is removed because it
would write to the person's clipboard. Titles (OSC 0 to 2), directories and links may end in `?`."""
_CUT = re.compile(rb"\x1b(?:\[[?>=&]?[0-9;$]{0,40}|[\]P_][^\x07\x1b]{0,4096}\x1b?)?\Z")


class Outlet:
    """Filters the output for the person's terminal: removes questions to the terminal."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be shown now. A sequence cut at the end is kept for the next call."""
        if not self._rest and b"\x1b" not in data and b"\x05" not in data:
            return data
        data = self._rest + data
        cut = _CUT.search(data, max(0, len(data) - 8192))
        self._rest = data[cut.start() :] if cut is not None else b""
        if cut is not None:
            data = data[: cut.start()]
        return _QUESTION.sub(b"", data)
