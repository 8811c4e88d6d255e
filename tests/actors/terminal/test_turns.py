"""The end of a turn without a commit that counts: told, and then a person is asked.

Hazards 67, 68.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.terminal import looks, prompts, screens
from tests.actors.served import Served, facts, submit
from tests.doors.acting import cli, say, terminal
from tests.doors.kit import PYTHON, coder, plan_text
from tests.repositories import make_repo


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "LOOK_SECONDS", 0.3)


Begin = Callable[..., str]


@pytest.fixture
def begin(served: Served, tmp_path: Path) -> Begin:
    """Start a workflow with one terminal."""

    def begin(step: dict[str, Any], head: str = "", tail: str = "") -> str:
        repo = make_repo(tmp_path / "repo")
        text = plan_text(repo, {"a": [step]}, head=f"idle_after = 0.5\n{head}", tail=tail)
        name = submit(served, text)
        served.until_status(name, "ready")
        served.client.call("workflow.start", workflow=name)
        return name

    return begin


def row(served: Served, name: str) -> dict[str, Any]:
    found: dict[str, Any] = served.client.call("workflow.get", workflow=name)
    return terminal(found, "a/1")


def until_idle(served: Served, name: str) -> None:
    served.until(name, lambda found: terminal(found, "a/1")["idle"])


def test_a_turn_without_a_commit_is_told_twice_and_then_waits_for_a_person(
    served: Served, begin: Begin, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    lazy = cli("lazy", f'$ echo x > new; printf "%s\\n--\\n" "$INSTRUCTION" >> {told}\n')
    name = begin({"cli": "lazy", "instruction": "work"}, tail=lazy)
    until_idle(served, name)
    assert [fact["step"] for fact in facts(served, "turn.ended")] == [1, 2, 3]
    assert [fact["step"] for fact in facts(served, "turn.without_commit")] == [1, 2]
    (idle,) = facts(served, "terminal.idle")
    assert "These changes are not committed: new." in idle["missing"]
    assert "Done." in idle["screen"]
    said = told.read_text()
    assert said.count("These changes are not committed: new.") == 2
    assert said.count("#done") >= 2
    assert row(served, name)["status"] == "running"
    assert row(served, name)["nudges"] == 2
    assert facts(served, "commit.seen") == []


def test_an_idle_terminal_goes_on_with_what_a_person_sends(served: Served, begin: Begin) -> None:
    name = begin(coder("nothing to do\n"), head="nudges = 0")
    until_idle(served, name)
    assert facts(served, "turn.without_commit") == []
    done = served.client.call("terminal.send", terminal=f"{name}/a/1/", text=say("at last #done"))
    assert terminal(served.client.call("workflow.get", workflow=name), "a/1")["idle"] == ""
    assert done["workflow"] == name
    served.until_status(name, "completed")


def test_an_idle_terminal_is_started_again_by_retry(
    served: Served, begin: Begin, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    finish = "echo x > new && git add new && git commit -q -m 'now #done'"
    script = f"$ test -e {flag} && {finish} || touch {flag}\n"
    name = begin(coder(script), head="nudges = 0")
    until_idle(served, name)
    served.client.call("task.retry", task=f"{name}/a/")
    served.until_status(name, "completed")
    assert row(served, name)["incarnation"] == 2


def test_a_commit_that_counts_is_never_told_as_missing(served: Served, begin: Begin) -> None:
    name = begin(coder(say("work #done")))
    served.until_status(name, "completed")
    assert facts(served, "turn.without_commit") == facts(served, "terminal.idle") == []


def test_a_turn_that_was_over_long_before_a_runtime_came_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host tells the silences that have passed at once, and none later."""
    monkeypatch.setattr("actors.terminal.actor.UNKNOWN_MS", screens.PROMPT_MS)
    repo = make_repo(tmp_path / "repo")
    head = "idle_after = 2\nnudges = 0"
    served = Served(tmp_path / "home")
    name = submit(served, plan_text(repo, {"a": [coder("nothing to do\n")]}, head=head))
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    served.until_fact("turn.ended", f"{name}/a/1/")
    served.client.close()
    served.runtime.stop()
    served = Served(tmp_path / "home")
    try:
        until_idle(served, name)
    finally:
        served.close()


def test_a_build_without_a_word_is_not_idle(served: Served, begin: Begin, tmp_path: Path) -> None:
    gate = tmp_path / "go"
    wait = f"$ while [ ! -e {gate} ]; do sleep 0.05; done\n"
    name = begin(coder(wait + say("built #done")), head="stall_after = 4")
    served.until(name, lambda found: terminal(found, "a/1")["stalled"])
    assert facts(served, "turn.ended") == facts(served, "terminal.idle") == []
    gate.touch()
    served.until_status(name, "completed")


PROGRAM = """
import os, sys, time, tty
tty.setraw(0)
show = lambda text: os.write(1, b"\\x1b[2J\\x1b[H" + text.replace("\\n", "\\r\\n").encode())
os.write(1, b"\\x1b[?2004h")
show("> ")
while b"\\r" not in os.read(0, 65536):
    pass
n = 0
while True:
    BODY
    n += 1
"""


def program(name: str, body: str) -> str:
    """A CLI that takes one instruction and then does `body` again and again."""
    script = PROGRAM.replace("BODY", body)
    return cli(name, command=[PYTHON, "-c", script])


def test_a_question_is_seen_though_something_blinks_above_it(served: Served, begin: Begin) -> None:
    question = "Do you want to proceed?\\n\\u276f 1. Yes\\n  2. No\\n"
    body = f'show(("\\u25cf" if n % 2 else " ") + " Bash(make)\\n{question}"); time.sleep(0.1)'
    name = begin(
        {"cli": "blinks", "instruction": "work", "auto_confirm": "never"},
        tail=program("blinks", body),
    )
    served.until(name, lambda found: terminal(found, "a/1")["blocked"])
    (blocked,) = facts(served, "terminal.blocked")
    assert blocked["choices"] == ["Yes", "No"]


def test_a_countdown_without_end_is_told_as_a_stall(served: Served, begin: Begin) -> None:
    body = (
        'show("|/-"[n % 3] + f" Retrying in {n % 60}s (esc to interrupt)\\n> "); time.sleep(0.05)'
    )
    name = begin(
        {"cli": "counts", "instruction": "work"},
        head="stall_after = 3",
        tail=program("counts", body),
    )
    served.until(name, lambda found: terminal(found, "a/1")["stalled"])
    assert facts(served, "turn.ended") == facts(served, "terminal.idle") == []


@pytest.mark.parametrize(
    ("shows", "obstacle"),
    [
        ("* Working (esc to interrupt)\n[sudo] password for ann: ", "password"),
        ("line\n:", "pager"),
        ("~\n~\n~\n~\n" + '"x" [New]', "editor"),
    ],
)
def test_what_takes_the_keyboard_is_told_once_and_waits_for_a_person(
    served: Served,
    begin: Begin,
    monkeypatch: pytest.MonkeyPatch,
    shows: str,
    obstacle: str,
) -> None:
    body = f"show({json.dumps(shows)}); time.sleep(600)"
    monkeypatch.setattr(prompts, "UNKNOWN_MS", 0)  # no other part of it tells the same screen
    name = begin({"cli": "asks", "instruction": "work"}, tail=program("asks", body))
    until_idle(served, name)
    (idle,) = facts(served, "terminal.idle")
    assert idle["obstacle"] == obstacle
    assert row(served, name)["idle"].startswith(f"It waits for keys: {obstacle}. ")
    assert facts(served, "terminal.blocked") == []
    assert facts(served, "turn.without_commit") == facts(served, "turn.ended") == []


def test_an_empty_completion_is_told_and_then_waits_for_a_person(
    served: Served, begin: Begin, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    note = f'$ printf "%s\\n--\\n" "$INSTRUCTION" >> {told}\n'
    stash = "$ echo x > README; git stash -q; git commit -q --allow-empty -m 'All of it #done'\n"
    name = begin({"cli": "empty", "instruction": "work"}, tail=cli("empty", note + stash))
    until_idle(served, name)
    rejected = facts(served, "commit.rejected")
    assert [fact["address"] for fact in rejected] == [f"{name}/a/1/"] * 3
    assert "the same files as when the task began" in rejected[0]["reason"]
    assert all(fact["empty"] for fact in facts(served, "commit.seen"))
    assert told.read_text().count("the same files as when the task began") == 2
    (idle,) = facts(served, "terminal.idle")
    assert "says #done, but changes nothing" in idle["missing"]
    assert "There is work in a stash" in idle["missing"]
    assert row(served, name)["status"] == "running"


def test_an_empty_branch_may_ask_for_a_review_and_a_person_accepts_it(
    served: Served, begin: Begin
) -> None:
    name = begin(coder("$ git commit -q --allow-empty -m 'Nothing is to be done #review'\n"))
    served.until(name, lambda found: found["tasks"][0]["status"] == "review_pending")
    assert facts(served, "commit.rejected") == []
    served.client.call("task.approve", task=f"{name}/a/")
    served.until_status(name, "completed")
