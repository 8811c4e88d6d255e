"""Find the newest line of a terminal in what its screen shows."""

import re
from collections.abc import Sequence

_NOT_LETTERS = re.compile(r"[\W\d_]+")
_FRAME = " \t│┃║|╭╰╮╯─━┌└┐┘>❯›●⏺⎿✻✽✶✳✢·*•$"
_STATUS = re.compile(r"esc to (?:interrupt|cancel)|for shortcuts|shift\+tab", re.IGNORECASE)
_LEAST_LETTERS = 3


def newest_line(before: Sequence[str], now: Sequence[str]) -> str:
    """Return the lowest line that says something and was not there before; "" if there is none.

    Lines that differ in digits and signs alone, as those with spinners and clocks do, are the same.
    """
    known = {_letters(line) for line in before}
    for line in reversed(now):
        letters = _letters(line)
        if len(letters) >= _LEAST_LETTERS and letters not in known and not _STATUS.search(line):
            return line.strip(_FRAME)
    return ""


def _letters(line: str) -> str:
    return _NOT_LETTERS.sub("", line)
