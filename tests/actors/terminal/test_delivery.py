"""Programs that miss an Enter: it is pressed once more, and the instruction never typed again."""

import sys
from pathlib import Path
from typing import Any

import pytest

from actors.terminal import delivery
from tests.actors.served import Served, facts, submit
from tests.doors.acting import cli, terminal
from tests.doors.kit import plan_text
from tests.repositories import make_repo

DEAF_BOX = """
import os, sys, tty
tty.setraw(0)
os.write(1, b"\\x1b[?2004h\\x1b[2J\\x1b[H> ")
text = b""
while text.partition(b"201~")[2].count(b"\\r") < ENTERS:  # one read may bring several keys
    text += os.read(0, 65536)
    os.write(1, b"\\x1b[2J\\x1b[H* [Pasted text]")
os.write(1, b"\\x1b[2J\\x1b[HWorking (esc to interrupt)")
os.system("touch a; git add a; git commit -q -m 'a #done'")
os.write(1, b"\\x1b[2J\\x1b[H> ")
os.read(0, 1)
"""


def box(name: str, enters: int) -> str:
    """A CLI that takes an instruction at the `enters`th Enter.

    Until then it stands in its input box, and the screen looks neither ready nor busy.
    """
    script = DEAF_BOX.replace("ENTERS", str(enters))
    return cli(name, command=[sys.executable, "-c", script])


def begin(served: Served, tmp_path: Path, enters: int) -> str:
    tasks = {"a": [{"cli": "box", "instruction": "work"}]}
    plan = plan_text(make_repo(tmp_path / "repo"), tasks, tail=box("box", enters))
    name = submit(served, plan)
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    return name


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often is looked counts, not for how long."""
    monkeypatch.setattr(delivery, "EVIDENCE_SECONDS", 0.2)


def test_an_enter_that_was_missed_is_pressed_once_more(served: Served, tmp_path: Path) -> None:
    """Hazard 29."""
    name = begin(served, tmp_path, 2)
    served.until_status(name, "completed")
    assert len(facts(served, "instruction.sent")) == 1
    assert len(facts(served, "instruction.delivered")) == 1
    assert facts(served, "terminal.blocked") == facts(served, "instruction.unconfirmed") == []


def test_an_instruction_that_is_not_taken_is_said_and_not_typed_again(
    served: Served, tmp_path: Path
) -> None:
    """Hazard 29."""
    name = begin(served, tmp_path, 3)
    served.until(name, lambda row: terminal(row, "a/1")["blocked"])
    (unconfirmed,) = facts(served, "instruction.unconfirmed")
    assert "[Pasted text]" in unconfirmed["screen"]
    (blocked,) = facts(served, "terminal.blocked")
    assert blocked["prompt"] == "unrecognised"
    assert len(facts(served, "instruction.sent")) == 1
    row: dict[str, Any] = served.client.call("workflow.get", workflow=name)
    assert terminal(row, "a/1")["status"] == "running"
