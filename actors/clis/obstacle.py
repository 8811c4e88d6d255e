"""What takes the keyboard of a terminal away from the program that was started in it.

A tool that the program runs may ask for a password, page its output, or open an editor. Then the
program's own screen may still say that it is busy, and an instruction would be typed into the
wrong thing. Pure; only the row of the cursor and the last rows are looked at, because a model may
write anything above them.
"""

import re
from enum import StrEnum
from typing import Final

from actors.clis.screen import Screen


class Obstacle(StrEnum):
    """What waits for keys in the program's place."""

    PASSWORD = "password"
    PAGER = "pager"
    EDITOR = "editor"


_SECRET: Final = re.compile(
    r"\b(?:password|passphrase|passcode|pin|username|token|one-time code|verification code|otp)\b"
    r"[^\n]{0,120}:\s*\Z",
    re.IGNORECASE,
)
_PAGER: Final = re.compile(
    r"\A\s*(?::|\(END\)|--More--.*|lines \d+-\d+.*|Manual page .* line \d+.*"
    r"|\S.* \(?press h for help.*)\s*\Z"
)
_VIM: Final = re.compile(
    r'\A-- (?:INSERT|REPLACE|VISUAL)\b.*|\A".+" (?:\[[^\]]+\] ?)?\d+(?:L|,| lines?)\b.*'
)
_NANO: Final = re.compile(r"\^G\s+(?:Get )?Help\b")
_TILDES: Final = 3


def find_obstacle(screen: Screen) -> Obstacle | None:
    """What waits for keys on a quiet screen, or None."""
    lines = screen.lines
    at_cursor = lines[screen.cursor[0]] if screen.cursor[0] < len(lines) else ""
    written = [line for line in lines if line.strip()]
    last = written[-1] if written else ""
    if _is_editor(written):
        return Obstacle.EDITOR
    if at_cursor.strip() != last.strip():
        return None  # the keys go elsewhere
    if _SECRET.search(at_cursor):
        return Obstacle.PASSWORD
    if _PAGER.match(last):
        return Obstacle.PAGER
    return None


def _is_editor(written: list[str]) -> bool:
    if any(_NANO.search(line) for line in written[-3:]):
        return True
    tildes = sum(line.rstrip() == "~" for line in written)
    last = written[-1] if written else ""
    return tildes >= _TILDES and bool(_VIM.match(last) or last.rstrip() == "~")
