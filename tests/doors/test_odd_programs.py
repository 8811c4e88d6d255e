"""Programs that are not like the others: no bracketed paste, a key, a prompt that changes."""

from pathlib import Path

import pytest

from actors.platform import sandbox
from tests.doors.acting import Acting
from tests.doors.kit import PYTHON, plan_text

AGENT = r"""
import os, re, subprocess, sys, tty
tty.setraw(0)
show = lambda text: os.write(1, b"\x1b[2J\x1b[H" + text.replace("\n", "\r\n").encode())
show("What is new\n> Go on\n  Stop here\nPress q to go on")
if os.read(0, 1) != b"q":
    sys.exit(3)
prompt, turns = "first> ", 0
while True:
    show(prompt)
    given = b""
    while not given.endswith(b"\r"):
        given += os.read(0, 4096)
    show("working")
    found = re.fullmatch("Read (.+) and do what it says", given.decode().strip())
    for line in open(found[1]) if found else ():
        if line.startswith("$ "):
            subprocess.run(line[2:], shell=True)
    turns += 1
    prompt = "turn %d\nnext> " % turns
"""
PROFILE = f"""
[cli.odd]
command = [{PYTHON!r}, "-c", '''{AGENT}''']
ready = '^first> $|^next> $'
markers = ">"
submit = {{ evidence = "^turn .*", file = "Read {{file}} and do what it says" }}
[[cli.odd.prompts]]
name = "news"
pattern = 'What is new'
answer = 'Go on'
typed = {{ "Go on" = "q" }}
"""
FENCED = pytest.param(
    "worktree", marks=pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble())
)


@pytest.mark.parametrize("fence", ["off", FENCED])
def test_an_odd_program_is_told_by_files_and_by_its_keys(
    fence: str, acting: Acting, repo: Path
) -> None:
    first = 'Some prose, with "quotes".\n$ echo one > a; git add a; git commit -qm one'
    second = "More.\n$ echo two > a; git commit -qam 'two #done'"
    odd = {"cli": "odd", "auto_confirm": "known", "instruction": first, "sandbox": fence}
    acting.begin(plan_text(repo, {"a": [odd]}, tail=PROFILE))
    acting.fact("commit.seen")
    answered = acting.facts("terminal.answered")
    assert [(fact["choice"], fact["by"]) for fact in answered] == [("Go on", "policy")]
    acting.fact("instruction.delivered")
    acting.call("terminal.send", terminal="demo/a/1/", text=second)
    acting.status("completed")
    assert (repo / "a").read_text() == "two\n"
