"""Answers to the questions that a program asks its terminal. Standard library only.

The questions are cursor position, status and attributes (CPR, DSR, DA1, DA2), XTVERSION, the kitty
keyboard query, default colours (OSC 10 and 11), and DECRQM of private modes. A program without an
answer hangs or degrades, so the host answers also when no client is connected. The host draws no
screen; it always reports the cursor at the top left. It uses no regular expressions, because `re`
costs a megabyte.
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
# Nearly all output contains none of these and therefore no question. Searching for them is faster
# than parsing the escape sequences.
CSI = (b"\x1b[6n", b"\x1b[5n", b"\x1b[?6n", b"\x1b[c", b"\x1b[0c", b"\x1b[>", b"\x1b[?u")
HINTS = (*CSI, b"\x1b]10;?", b"\x1b]11;?", b"$p")
LONGEST = 12  # bytes that an incomplete question can have


class Listener:
    """Finds the questions in output, also those that the end of a read cuts."""

    def __init__(self) -> None:
        self._held = b""  # the beginning of a possible question
        self._colour = b""  # an OSC question whose terminator ESC \\ has not come yet

    def answers(self, output: bytes) -> bytes:
        """Return the answers to the questions that end in this output, in order."""
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
    """Whether this output only sets window titles (OSC 0, 1 and 2).

    Codex does so every second while it shows a prompt. Such a screen counts as silent.
    """
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
