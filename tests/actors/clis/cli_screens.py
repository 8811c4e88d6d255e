"""Screens of real CLIs, recorded against the fake model, as plain text files."""

from pathlib import Path

from actors.clis.screen import Screen

SCREENS = Path(__file__).with_name("screens")
NAMES = ["aider", "claude", "cline", "codex", "copilot", "gemini", "kilo", "opencode", "qwen"]


def recorded(name: str) -> Screen:
    """The screen in `screens/NAME.txt`: cursor on the first line, then the rows."""
    first, _, text = (SCREENS / f"{name}.txt").read_text().partition("\n")
    row, col = first.split()
    return Screen(text.split("\n"), (int(row), int(col)), True)


def drawn(text: str) -> Screen:
    """A screen with this text, the cursor behind its last character."""
    lines = text.split("\n")
    return Screen(lines, (len(lines) - 1, len(lines[-1])), False)
