"""Screens that are not what the profile says: shown to a person, and nothing is pressed."""

import json
import sys
from pathlib import Path

from tests.doors.acting import Acting, cli, say, terminal
from tests.doors.kit import AGENT, PYTHON, coder, plan_text

RULE = """
[[cli.{name}.prompts]]
name = "trust"
pattern = 'Do you trust this folder'
answer = '^Yes'
"""

SLOW_LIST = """
import os, sys, tty, termios
choices, marked, presses = ["No, exit", "Yes, I trust it"], 0, 0
before = termios.tcgetattr(0)
tty.setraw(0)
while True:
    lines = ["Do you trust this folder?"]
    lines += [("\\u276f " if n == marked else "  ") + c for n, c in enumerate(choices)]
    os.write(1, ("\\x1b[2J\\x1b[H" + "\\r\\n".join(lines)).encode())
    key = os.read(0, 16)
    if key == b"\\r":
        break
    presses += 1
    if presses > DEAF:
        marked = 1
termios.tcsetattr(0, termios.TCSADRAIN, before)
if marked == 0:
    sys.exit(3)
os.write(1, b"\\x1b[2J\\x1b[H")
os.execv(sys.executable, [sys.executable, AGENT])
"""


def listing(name: str, deaf: int) -> str:
    """A CLI that asks in a list whose marker ignores the first `deaf` keys."""
    script = SLOW_LIST.replace("DEAF", str(deaf)).replace("AGENT", repr(str(AGENT)))
    return cli(name, command=[sys.executable, "-c", script]) + RULE.format(name=name)


def submit(acting: Acting, text: str, tmp_path: Path) -> None:
    acting.call("plan.submit", plan=text, base=str(tmp_path))
    acting.call("workflow.prepare", workflow="demo")


def test_a_screen_nobody_recognises_is_shown_and_fails_the_launch_in_time(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Hazard 31."""
    splash = cli("splash", command=["sh", "-c", "echo Licence expired.; sleep 600"])
    splash += "ready_timeout = 9\n"
    tasks = {"a": [{"cli": "splash", "instruction": "x"}]}
    submit(acting, plan_text(repo, tasks, tail=splash), tmp_path)
    blocked = acting.fact("terminal.blocked")
    assert (blocked["prompt"], blocked["choices"]) == ("unrecognised", [])
    assert blocked["text"] == "Licence expired."
    assert "Licence expired." in acting.home.ok("why", "demo/a/1")
    failed = acting.fact("terminal.launch_failed")
    assert "Licence expired." in failed["reason"] + failed["screen"]
    assert len(acting.facts("terminal.blocked")) == 1


def test_a_screen_nobody_recognises_at_work_is_shown_until_it_goes(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    taken, gate, last = (tmp_path / name for name in ("taken", "gate", "last"))
    wait = "$ until test -e {}; do sleep 0.1; done\n".format
    odd = "$ printf '\\033[2J\\033[HSession limit.' > /dev/tty\n"
    clear = "$ printf '\\033[2J\\033[HWorking (esc to interrupt)\r\n' > /dev/tty\n"
    hidden = wait(taken) + odd.rstrip() + "; " + wait(gate).removeprefix("$ ")
    acting.begin(plan_text(repo, {"a": [coder(hidden + clear + wait(last) + say("a #done"))]}))
    acting.fact("instruction.delivered")
    taken.touch()
    blocked = acting.fact("terminal.blocked")
    assert blocked["prompt"] == "unrecognised"
    assert "Session limit." in blocked["text"]
    assert terminal(acting.row(), "a/1")["status"] == "running"
    gate.touch()
    acting.fact("terminal.resumed")
    assert not terminal(acting.row(), "a/1")["blocked"]
    last.touch()
    acting.status("completed")


def test_nothing_is_typed_into_a_question_that_came_while_it_waited(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """Enter would have taken what is marked."""
    gate = tmp_path / "gate"
    late = f"until test -e {gate}; do sleep 0.1; done; "
    late += "printf '\\033[2J\\033[HUpdate now?\\r\\n\\342\\235\\257 Yes\\r\\n  No' > /dev/tty"
    start = f'({late}) & exec "$@"'
    command = ["sh", "-c", start, "sh", PYTHON, str(AGENT)]
    tasks = {"a": [{"cli": "late", "instruction": say("a #done")}]}
    submit(acting, plan_text(repo, tasks, tail=cli("late", command=command)), tmp_path)
    acting.status("ready")
    gate.touch()
    blocked = acting.fact("terminal.blocked")
    assert blocked["choices"] == ["Yes", "No"]
    acting.call("workflow.start", workflow="demo")
    acting.status("running")
    assert acting.facts("instruction.sent") == []


def test_a_choice_is_taken_only_when_the_marker_stands_on_it(
    acting: Acting,
    repo: Path,
) -> None:
    """The first key is swallowed, as a busy machine does: Enter at once would say no. Hazard 33."""
    one = {"cli": "list", "auto_confirm": "known", "instruction": say("a #done")}
    acting.begin(plan_text(repo, {"a": [one]}, tail=listing("list", 1)))
    acting.status("completed")
    answered = acting.facts("terminal.answered")
    assert [(fact["choice"], fact["by"]) for fact in answered] == [("Yes, I trust it", "policy")]


def test_a_marker_that_does_not_move_chooses_nothing(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    one = {"cli": "list", "auto_confirm": "never", "instruction": say("a #done")}
    submit(acting, plan_text(repo, {"a": [one]}, tail=listing("list", 1000)), tmp_path)
    acting.fact("terminal.blocked")
    refused = acting.home.run("answer", "demo/a/1", "yes")
    assert refused.returncode == 4
    assert "does not go to" in refused.stderr
    assert acting.facts("terminal.answered") == []
    assert terminal(acting.row(), "a/1")["status"] == "starting"


def test_an_unknown_version_is_said_and_answers_nothing_by_itself(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    new = cli("new", command=[PYTHON, str(AGENT), "--ask"]) + RULE.format(name="new")
    new += f"[cli.new.version]\nverified = {json.dumps(['0.0.1'])}\n"
    one = {"cli": "new", "auto_confirm": "known", "instruction": say("a #done")}
    submit(acting, plan_text(repo, {"a": [one]}, tail=new), tmp_path)
    said = acting.fact("terminal.unverified")
    version = ".".join(map(str, sys.version_info[:3]))
    assert (said["cli"], said["version"], said["verified"]) == ("new", version, ["0.0.1"])
    blocked = acting.fact("terminal.blocked")
    assert (blocked["prompt"], blocked["choices"]) == ("trust", ["No, exit", "Yes, I trust it"])
    acting.home.ok("answer", "demo/a/1", "yes")
    acting.status("ready")
    acting.call("workflow.start", workflow="demo")
    acting.status("completed")
    assert [f["by"] for f in acting.facts("terminal.answered")] == ["person"]
