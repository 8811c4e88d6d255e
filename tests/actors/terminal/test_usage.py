"""What a terminal has used: counted at the end of each turn, once, and held against the caps."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.terminal import looks
from bus.errors import Refused
from tests.actors.served import Served, facts, submit
from tests.doors.acting import terminal
from tests.doors.kit import PYTHON, plan_text
from tests.repositories import make_repo

AGENT = r"""
import json, os, pathlib, subprocess, sys, time, tty
turns, home = int(sys.argv[1]), pathlib.Path(os.environ.get("SPENDER_HOME", "."))
tty.setraw(0)
show = lambda text: os.write(1, b"\x1b[2J\x1b[H" + text.replace("\n", "\r\n").encode())
os.write(1, b"\x1b[?2004h")
show("> ")
for turn in range(1, 100):
    given = b""
    while b"\r" not in given:
        given = (given + os.read(0, 65536)).lstrip(b"\r")
    show("* Working (esc to interrupt)")
    time.sleep(0.7)
    with open(home / "session.jsonl", "a") as file:
        for request in range(2):
            name = "%d.%d" % (turn, request)
            file.write(json.dumps({"id": name, "u": {"in": 20, "out": 10}}) + "\n")
    if turn == turns:
        subprocess.run("echo x > work; git add -A; git commit -qm 'work #done'", shell=True)
    show("turn %d\n> " % turn)
"""
"""It uses 60 tokens a turn and commits in the turn whose number it is given.

As in real CLIs an Enter alone begins no turn, and what a turn has shown stays on the screen. Both
count where the machine is too slow for the moment in which it works to be seen.
"""


def spender(turns: int) -> str:
    """`[cli.spender]`."""
    keys = {"command": [PYTHON, "-c", AGENT, str(turns)], "ready": "^> $", "busy": "esc to interr"}
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    return f"""[cli.spender]\n{text}
home = {{ env = "SPENDER_HOME" }}
submit = {{ evidence = '^turn [0-9]+$' }}
[cli.spender.usage]
files = "*.jsonl"
id = "id"
input = ["u.in"]
output = ["u.out"]
"""


PRICES = """
[provider.paid]
base_url = "http://127.0.0.1:1"
price_input = 1000.0
price_output = 10000.0
"""
Begin = Callable[..., str]


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "LOOK_SECONDS", 0.3)


@pytest.fixture
def begin(served: Served, tmp_path: Path) -> Begin:
    def begin(turns: int, tail: str = "", head: str = "", **step: Any) -> str:
        steps = {"a": [{"cli": "spender", "instruction": "work", **step}]}
        text = plan_text(
            make_repo(tmp_path / "repo"),
            steps,
            head=f"idle_after = 0.5\nnudges = 9\n{head}",
            tail=spender(turns) + tail,
        )
        name = submit(served, text)
        served.until_status(name, "ready")
        served.client.call("workflow.start", workflow=name)
        return name

    return begin


def spent(served: Served) -> int:
    return sum(fact["input"] + fact["output"] for fact in facts(served, "usage.counted"))


def test_every_turn_is_counted_once_and_summed_up(served: Served, begin: Begin) -> None:
    name = begin(2, tail=PRICES, provider="paid")
    served.until_status(name, "completed")
    assert spent(served) == 120
    report = served.client.call("usage", address=f"{name}/a/")
    (used,) = report["used"]
    assert (used["input"], used["output"], used["requests"]) == (80, 40, 4)
    assert used["account"] == "paid at http://127.0.0.1:1"
    assert used["cost"] == pytest.approx(0.48)
    assert report["unknown"] == []
    row = terminal(served.client.call("workflow.get", workflow=name), "a/1")
    assert (row["tokens"], row["cost"]) == (120, pytest.approx(0.48))
    assert served.client.call("usage")["used"] == report["used"]
    with pytest.raises(Refused):
        served.client.call("usage", address=f"{name}/nowhere/")


def test_what_a_program_does_not_say_is_unknown_and_not_nothing(
    served: Served, tmp_path: Path
) -> None:
    script = "$ echo x > x; git add x; git commit -qm 'work #done'\n"
    steps = {"a": [{"cli": "scripted", "instruction": script}]}
    name = submit(served, plan_text(make_repo(tmp_path / "repo"), steps))
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    served.until_status(name, "completed")
    assert served.client.call("usage") == {"used": [], "unknown": [f"{name}/a/1/"]}


def test_at_the_cap_of_the_workflow_it_pauses_and_a_person_grants_as_much_again(
    served: Served, begin: Begin
) -> None:
    name = begin(3, head="[limits]\ntokens = 140")
    served.until_status(name, "paused")
    served.client.call("workflow.resume", workflow=name)
    served.until_status(name, "completed")
    told = [(fact["address"], fact["percent"]) for fact in facts(served, "limit.reached")]
    assert told[:2] == [(f"{name}/", 80), (f"{name}/", 100)]
    assert spent(served) == 180


def test_at_the_cap_of_a_terminal_it_waits_for_a_person(served: Served, begin: Begin) -> None:
    name = begin(2, limits={"tokens": 60})
    served.until(name, lambda row: terminal(row, "a/1")["limited"] == "cap")
    row = served.client.call("workflow.get", workflow=name)
    assert (row["status"], terminal(row, "a/1")["nudges"]) == ("running", 0)
    served.client.call("terminal.send", terminal=f"{name}/a/1/", text="go on")
    served.until_status(name, "completed")
    assert facts(served, "limit.reached")[0]["address"] == f"{name}/a/1/"
