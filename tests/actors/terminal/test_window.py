"""A screen is judged and shown in the size that the window has."""

from pathlib import Path

from actors.pty import window
from tests.actors.served import Served, facts, submit
from tests.doors.acting import cli, terminal
from tests.doors.kit import PYTHON, plan_text
from tests.repositories import make_repo

WIDE = """
import os, signal, sys, time, tty
tty.setraw(0)
os.write(1, b"> ")
def draw(*_):
    rows, columns = os.get_terminal_size(0)[::-1]
    line = b"Do you want to proceed?".rjust(columns)
    os.write(1, b"\\x1b[2J\\x1b[H" + line + b"\\r\\n\\xe2\\x9d\\xaf 1. Yes\\r\\n  2. No\\r\\n")
signal.signal(signal.SIGWINCH, draw)
while True:
    time.sleep(60)
"""


def test_a_question_in_a_wider_window_is_read_as_it_is_drawn(
    served: Served, tmp_path: Path
) -> None:
    wide = cli("wide", command=[PYTHON, "-c", WIDE], ready="^> $")
    tasks = {"a": [{"cli": "wide", "instruction": "x", "auto_confirm": "never"}]}
    name = submit(served, plan_text(make_repo(tmp_path / "repo"), tasks, tail=wide))
    served.until_status(name, "ready")
    at = f"{name}/a/1/"
    served.client.call("terminal.resize", terminal=at, rows=50, columns=200, session="s")
    drawn = "Do you want to proceed?".rjust(200)
    served.until(name, lambda row: terminal(row, "a/1")["blocked"].split("\n")[0] == drawn)
    assert facts(served, "terminal.blocked")[-1]["choices"] == ["Yes", "No"]
    shown = served.client.call("terminal.screen", terminal=at)
    assert (shown["rows"], shown["columns"]) == (50, 200)
    assert shown["text"].split("\n")[0].endswith(" Do you want to proceed?")


def test_a_size_that_was_not_kept_is_the_usual_one(tmp_path: Path) -> None:
    assert window.size(tmp_path) == (40, 120)
    window.note(tmp_path, 40, 120)
    assert list(tmp_path.iterdir()) == []
    window.note(tmp_path, 24, 80)
    assert window.size(tmp_path) == (24, 80)
    window.note(tmp_path, 40, 120)
    assert window.size(tmp_path) == (40, 120)
    (tmp_path / "size").write_text("wide")
    assert window.size(tmp_path) == (40, 120)
    window.note(tmp_path / "gone", 1, 2)
