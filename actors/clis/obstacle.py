"""Detect a tool that reads the terminal's keyboard in place of the agent.

A tool that the agent runs may ask for a password, page its output, or open an editor. The screen
may then still look busy, and an instruction would be typed into the tool. The functions are pure.
They read only the cursor's row and the last rows, because a model may write anything above them.
"""

import re
from enum import StrEnum
from typing import Final

from actors.clis.screen import Screen


class Obstacle(StrEnum):
    """The kind of tool that waits for keys in place of the agent."""

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
    r'|\A".+" \[New(?: File)?\](?:\s+\d+,\d+(?:-\d+)?\s+\S+)?\s*\Z'
)
_NANO: Final = re.compile(r"\^G\s+(?:Get )?Help\b")
_TILDES: Final = 3


def find_obstacle(screen: Screen) -> Obstacle | None:
    """Return what waits for keys on a quiet screen, or None."""
    lines = screen.lines
    at_cursor = lines[screen.cursor[0]] if screen.cursor[0] < len(lines) else ""
    written = [line for line in lines if line.strip()]
    last = written[-1] if written else ""
    if _is_editor(written):
        return Obstacle.EDITOR
    if at_cursor.strip() != last.strip():
        return None  # the cursor is not on the last written row
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
