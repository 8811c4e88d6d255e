"""Questions and silence: a person is asked within seconds, and nothing is ended by either."""

import json
import time
from pathlib import Path

from tests.doors.acting import Acting, cli, say, terminal
from tests.doors.kit import PYTHON, coder, plan_text

ASKS = "@ ask Which colour? | red | green\n$ echo $ANSWER > colour\n"


def test_a_question_is_shown_and_answered_by_label(acting: Acting, repo: Path) -> None:
    """Hazard 32."""
    acting.begin(plan_text(repo, {"a": [coder(ASKS + say("paint #done"))]}))
    blocked = acting.fact("terminal.blocked")
    assert blocked["choices"] == ["red", "green"]
    assert "Which colour?" in blocked["text"]
    shown = acting.home.ok("ps").splitlines()
    assert shown[0] == "waits for you"
    red, green = (acting.home.command("answer", "demo/a/1", c) for c in ("red", "green"))
    assert shown[1:4] == ["  demo/a/1 asks: Which colour?", f"    {red}", f"    {green}"]
    wrong = acting.home.run("answer", "demo/a/1", "blue")
    assert wrong.returncode == 4
    assert "red" in wrong.stderr
    assert "green" in wrong.stderr
    acting.again()
    assert "answer demo/a/1" in acting.home.ok("ps")
    acting.until(lambda row: terminal(row, "a/1")["status"] == "running")
    acting.home.ok("answer", "demo/a/1", "green")
    acting.status("completed")
    assert (repo / "colour").read_text() == "green\n"
    answered = acting.facts("terminal.answered")
    assert [(fact["choice"], fact["by"]) for fact in answered] == [("green", "person")]
    late = acting.home.run("answer", "demo/a/1", "green")
    assert late.returncode == 4


def test_policy_answers_only_what_the_profile_knows(acting: Acting, repo: Path) -> None:
    """Hazard 33."""
    rule = """
[[cli.polite.prompts]]
name = "leave"
pattern = 'May I write here'
answer = '^Yes'
"""
    script = "@ ask May I write here? | No | Yes, always\n$ echo $ANSWER > leave\n" + ASKS
    known = {"cli": "polite", "auto_confirm": "known", "instruction": script + say("a #done")}
    never = {"cli": "polite", "auto_confirm": "never", "instruction": script + say("b #done")}
    acting.begin(plan_text(repo, {"a": [known], "b": [never]}, tail=cli("polite") + rule))
    row = acting.until(
        lambda row: "colour" in terminal(row, "a/1")["blocked"] and terminal(row, "b/1")["blocked"]
    )
    assert "May I write here" in terminal(row, "b/1")["blocked"]
    answered = acting.facts("terminal.answered")
    assert [(f["address"], f["choice"], f["by"]) for f in answered] == [
        ("demo/a/1/", "Yes, always", "policy")
    ]
    asked = {(f["address"], f["prompt"]) for f in acting.facts("terminal.blocked")}
    assert asked >= {("demo/a/1/", "unknown"), ("demo/b/1/", "leave")}


def test_silence_is_said_once_and_ends_nothing(acting: Acting, repo: Path, tmp_path: Path) -> None:
    """Hazards 17, 34, 54."""
    told = tmp_path / "told"
    lazy = cli("lazy", f'$ printf "%s\\n" "$INSTRUCTION" >> {told}\n')
    tasks = {
        "a": [{"cli": "lazy", "instruction": "work"}],
        "b": [coder("@ sleep 600\n")],
    }
    head = "stall_after = 3\nidle_after = 4\nnudges = 1"
    acting.begin(plan_text(repo, tasks, head=head, tail=lazy))
    idle = acting.fact("terminal.idle")
    assert idle["address"] == "demo/a/1/"
    acting.until(lambda row: terminal(row, "b/1")["stalled"])
    stalled = [f for f in acting.facts("terminal.stalled") if f["address"] == "demo/b/1/"]
    assert len(stalled) == 1
    assert told.read_text().count("Your turn has ended, but no commit of yours counts yet") == 1
    row = acting.row()
    assert terminal(row, "a/1")["status"] == terminal(row, "b/1")["status"] == "running"
    shown = acting.home.ok("ps").split("demo/a/ ")[0]
    assert (
        "demo/a/1 has stopped, and no commit counts: Nothing was changed and nothing was committed"
        in shown
    )
    assert "demo/b/1 shows nothing new" in shown
    assert acting.row()["status"] == "running"


def test_a_terminal_that_waits_for_its_turn_is_not_stalled(acting: Acting, repo: Path) -> None:
    """Its silence counts from the moment it is set to work."""
    first = "$ sleep 1\n" * 6 + say("first #done")
    second = say("second #done")
    acting.begin(plan_text(repo, {"a": [coder(first), coder(second)]}, head="stall_after = 4"))
    acting.status("completed")
    assert "demo/a/2/" not in [fact["address"] for fact in acting.facts("terminal.stalled")]


def test_a_question_before_it_is_ready_waits_for_a_person(acting: Acting, repo: Path) -> None:
    """Longer than `ready_timeout`: neither silence nor a question ends anything."""
    asking = cli("asking", ready_timeout=4).replace('"]', '", "--ask"]', 1)
    tasks = {"a": [{"cli": "asking", "instruction": say("work #done")}]}
    acting.call("plan.submit", plan=plan_text(repo, tasks, tail=asking), base="")
    acting.call("workflow.prepare", workflow="demo")
    blocked = acting.fact("terminal.blocked")
    assert "trust this folder" in blocked["text"]
    assert "answer demo/a/1" in acting.home.ok("ps").splitlines()[2]
    time.sleep(4)
    assert acting.row()["status"] == "starting"
    acting.home.ok("answer", "demo/a/1", "Yes, I trust it")
    acting.status("ready")
    acting.call("workflow.start", workflow="demo")
    acting.status("completed")


SLOW = """
import os, sys, time, tty
tty.setraw(0)
def show(text):
    os.write(1, b"\\x1b[2J\\x1b[H" + text.replace("\\n", "\\r\\n").encode())
question = "May I write here?\\n> 1. Yes, always\\n  2. No\\n"
show(question)
os.read(0, 100)
time.sleep(0.2)
show(question)  # drawn once more, as a busy program does
time.sleep(0.7)
show("Delete all of it?\\n> 1. No\\n  2. Yes\\n")
os.read(0, 100)
open(sys.argv[1], "w").close()
time.sleep(600)
"""


def test_a_question_still_shown_after_its_answer_is_not_answered_again(
    acting: Acting, repo: Path, tmp_path: Path
) -> None:
    """The second Enter would answer the next one, which nobody may answer unasked."""
    pressed = tmp_path / "pressed"
    program = json.dumps([PYTHON, "-c", SLOW, str(pressed)])
    table = f"""[cli.slow]
command = {program}
ready = '^ready'
markers = ">"
[[cli.slow.prompts]]
name = "leave"
pattern = 'May I write here'
answer = '^Yes'
"""
    tasks = {"a": [{"cli": "slow", "auto_confirm": "known", "instruction": "work"}]}
    acting.call("plan.submit", plan=plan_text(repo, tasks, tail=table), base="")
    acting.call("workflow.prepare", workflow="demo")
    assert "Delete all of it?" in acting.fact("terminal.blocked")["text"]
    assert len(acting.facts("terminal.answered")) == 1
    assert not pressed.exists()
