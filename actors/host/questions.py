"""Questions a program asks its terminal, and the answers of a plain one. Standard library only.

Cursor position, status and attributes (CPR, DSR, DA1, DA2), XTVERSION, the kitty keyboard query,
default colours (OSC 10 and 11) and DECRQM of private modes. A program that gets no answer hangs
or degrades, so the host answers whether anybody looks or not. The host draws no screen, so the
cursor is always said to be at the top left. No regular expressions: `re` costs a megabyte.
"""

ESC = b"\x1b"

# What follows ESC. A low version in DA2 keeps programs from asking more.
FIXED = {
    b"[6n": b"\x1b[1;1R",
    b"[?6n": b"\x1b[?1;1R",
    b"[5n": b"\x1b[0n",
    b"[c": b"\x1b[?62;22c",
    b"[0c": b"\x1b[?62;22c",
    b"[>c": b"\x1b[>1;10;0c",
    b"[>0c": b"\x1b[>1;10;0c",
    b"[>q": b"\x1bP>|callboard(1)\x1b\\",
    b"[>0q": b"\x1bP>|callboard(1)\x1b\\",
    b"[?u": b"\x1b[?0u",
}
COLOURS = {
    b"]10;?": b"\x1b]10;rgb:d8d8/d8d8/d8d8",
    b"]11;?": b"\x1b]11;rgb:1818/1818/1818",
}
# Output with none of these has no question, which is nearly all output; finding that out by
# searching is faster than walking over the escape sequences of a screen.
CSI = (b"\x1b[6n", b"\x1b[5n", b"\x1b[?6n", b"\x1b[c", b"\x1b[0c", b"\x1b[>", b"\x1b[?u")
HINTS = (*CSI, b"\x1b]10;?", b"\x1b]11;?", b"$p")
LONGEST = 12  # bytes of the beginning of a question


class Listener:
    """Finds questions in output, also those cut by the end of a read."""

    def __init__(self) -> None:
        self._held = b""  # the beginning of what may become a question
        self._colour = b""  # an OSC question whose terminator ESC \\ has not come yet

    def answers(self, output: bytes) -> bytes:
        """The answers to the questions that end in this output, in the order they were asked."""
        if not self._held and ESC not in output:
            return b""
        heard = self._held + output
        last = heard.rfind(ESC, max(0, len(heard) - LONGEST))
        if last >= 0 and _unfinished(heard[last + 1 :]):
            heard, self._held = heard[:last], heard[last:]
        else:
            self._held = b""
        if not self._colour and not any(hint in heard for hint in HINTS):
            return b""
        return b"".join(map(self._answer, heard.split(ESC)[1:]))

    def _answer(self, part: bytes) -> bytes:
        colour, self._colour = self._colour, b""
        if colour and part[:1] == b"\\":
            return COLOURS[colour] + b"\x1b\\"
        for size in (2, 3, 4):
            if part[:size] in FIXED:
                return FIXED[part[:size]]
        mode, asked, _ = part[2:10].partition(b"$p")
        if asked and part[:2] == b"[?" and mode.isdigit():
            return b"\x1b[?" + mode + b";0$y"
        if part[:5] in COLOURS:
            if part[5:6] == b"\x07":
                return COLOURS[part[:5]] + b"\x07"
            if len(part) == 5:
                self._colour = part
        return b""


def only_titles(output: bytes) -> bool:
    """Whether this output does nothing but name the window (OSC 0, 1 and 2), as codex does every
    second while it asks something. A screen on which nothing else happens is a silent one."""
    while output:
        if output[:4] not in (b"\x1b]0;", b"\x1b]1;", b"\x1b]2;"):
            return False
        ends = [(output.find(end), len(end)) for end in (b"\x07", b"\x1b\\")]
        at, size = min((at, size) for at, size in [*ends, (len(output), 0)] if at >= 0)
        if size == 0:
            return False
        output = output[at + size :]
    return True


def _unfinished(part: bytes) -> bool:
    if part[:1] == b"[":
        return len(part) <= 10 and not part[1:].strip(b"0123456789?>$")
    return any(question.startswith(part) for question in COLOURS)
