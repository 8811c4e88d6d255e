"""What outsiders write is shown in the user's terminal and never obeyed.

A plan's text, commit subjects, file names, the output of tests and the screens of agents.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.doors.kit import Home, coder, plan_text
from tests.doors.terminal_kit import Window
from tests.repositories import git, make_repo

_CONTROLS = "".join(map(chr, [*range(1, 9), *range(11, 32), *range(127, 160)]))
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\u2029"
SEQUENCES = "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x1b\\\x1b[38;5;201m\x1b[2J\x9b31m\x90q\x9c"
_SHAPELESS = "\u200b\u200d\u2060\u2062\u00ad\u3164\U000e0041"
HOSTILE = f"<{SEQUENCES}{_CONTROLS}{_BIDI}{_SHAPELESS}>"

OURS = re.compile(
    rb"\x1b\[[0-9;]*m"  # colours, also a hostile one: it is looked for by itself
    rb"|\x1b\[\?(25|1049)[lh]|\x1b\[[0-9;]*[HJK]|\r"  # the live view paints itself
)


def assert_neutral(written: bytes) -> None:
    assert b"\x1b[38;5;201m" not in written
    assert b"owned\x07" not in written
    left = OURS.sub(b"", written).decode()
    found = {c for c in left if c in _CONTROLS + _BIDI + _SHAPELESS}
    assert not found, (found, left)


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[str, Path]:
    """A plan whose every text is hostile, and its repository."""
    name = "f" + HOSTILE.replace("/", "")
    repo = make_repo(tmp_path / "repo", {name: "1\n", "README": "x\n", f".gemini/{name}": ""})
    message = tmp_path / "message"
    message.write_text(f"subject {HOSTILE} #fail\n\n{HOSTILE}\n")
    output = tmp_path / "output"
    output.write_text(HOSTILE)
    change = 'for f in f*; do echo $$ > "$f"; done'
    fails = coder(f"$ {change}; git commit -qaF {message} --cleanup=verbatim\n")
    text = plan_text(repo, {"a": [fails], "b": [fails]})
    head = f"name = {json.dumps('demo ' + HOSTILE, ensure_ascii=False)}\n"
    shown = json.dumps(f"cat {output}; exit 1 # {HOSTILE}", ensure_ascii=False)
    test = f'test = ["sh", "-c", {shown}]\n'
    text = text.replace('name = "demo"\n', head + test, 1)
    text = text.replace(
        'id = "a"\n', f'id = "a"\nname = {json.dumps(HOSTILE, ensure_ascii=False)}\n'
    )
    return text.replace("\x7f", "\\u007f"), repo


def test_nothing_that_is_printed_reaches_the_terminal_raw(
    home: Home, hostile: tuple[str, Path], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(hostile[0])
    home.serve()
    live = Window(home, "up", str(plan), rows=50, columns=120)
    assert live.end() == 1, live.written
    assert "owned" in live.written.decode()
    assert_neutral(live.written)
    (row,) = home.json("ps")
    id = row["id"]
    looks: list[list[Any]] = [["ps"], ["ps", id], ["tree"], ["events"], ["why", id], ["doctor"]]
    looks += [["why", f"{id}/a"], ["why", f"{id}/a/1"], ["merge", id], ["check", str(plan)]]
    looks += [[*words, "--json"] for words in looks[:4]]
    looks += [["usage"], ["plan", "show", id], ["config", "show", str(plan)], ["ask", id, "why?"]]
    looks += [["diff", f"{id}/a"], ["logs", f"{id}/a/1"], ["screen", f"{id}/a/1"]]
    looks += [["trust", str(hostile[1])], ["keys", "make", HOSTILE], ["init", HOSTILE], ["keys"]]
    looks += [["up", str(plan)], ["merge", id, HOSTILE], ["check", HOSTILE]]
    for words in looks:
        window = Window(home, *words, columns=120)
        window.end()
        assert_neutral(window.written)
    piped = home.ok("events") + home.ok("why", id) + json.dumps(home.json("events"))
    assert "owned" in piped
    assert_neutral(piped.encode())
    assert git(hostile[1], "status", "--porcelain") == ""
