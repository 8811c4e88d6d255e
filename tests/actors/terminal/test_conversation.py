"""A conversation goes on where its program was ended, in the same config home and worktree."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from actors.pty.ending import running_hosts
from tests.actors.served import Served, facts, submit, until
from tests.doors.acting import terminal
from tests.doors.kit import PYTHON, plan_text
from tests.repositories import make_repo

AGENT = r"""
import json, os, pathlib, subprocess, sys, tty, time
log, flag = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
home = pathlib.Path(os.environ["TALKER_HOME"])
session = "0a1b2c3d-0000-4000-8000-000000000000"
if "--resume" in sys.argv:
    session = sys.argv[sys.argv.index("--resume") + 1]
file = home / ("talk-" + session + ".jsonl")
before = file.read_text().count("\n") if file.exists() else 0
tty.setraw(0)
show = lambda text: os.write(1, b"\x1b[2J\x1b[H" + text.replace("\n", "\r\n").encode())
os.write(1, b"\x1b[?2004h")
show("> ")
while True:
    given = b""
    while b"\r" not in given:
        given += os.read(0, 65536)
    show("* Working (esc to interrupt)")
    with file.open("a") as said:
        said.write(json.dumps({"id": os.getpid(), "u": {"in": 7}}) + "\n")
    with log.open("a") as out:
        told = {"argv": sys.argv[3:], "before": before, "told": given.decode()}
        out.write(json.dumps(told) + "\n")
    if flag.exists():
        subprocess.run("echo x > work; git add -A; git commit -qm 'work #done'", shell=True)
    else:
        time.sleep(600)
    show("> ")
"""

SESSION = "0a1b2c3d-0000-4000-8000-000000000000"


def talker(log: Path, flag: Path, turn: float = 600) -> str:
    """`[cli.talker]`, whose session file is below its home.

    Without `flag` its turn takes `turn` seconds and ends with nothing.
    """
    agent = AGENT.replace("sleep(600)", f"sleep({turn})")
    command = [PYTHON, "-c", agent, str(log), str(flag)]
    keys = {"command": command, "ready": "^> $", "busy": "esc to interrupt"}
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    resume = json.dumps([*command, "--resume", "{session}"])
    return f"""[cli.talker]\n{text}
home = {{ env = "TALKER_HOME" }}
usage = {{ files = "talk-*.jsonl", id = "id", input = ["u.in"] }}
session = {{ files = "talk-*.jsonl", resume = {resume} }}
"""


class Scene:
    """A workflow with one terminal that works until it is killed, or until `flag` is there."""

    def __init__(self, served: Served, place: Path) -> None:
        self.served, self.log, self.flag, self._place = served, place / "log", place / "go", place

    def begin(self) -> str:
        steps = {"a": [{"cli": "talker", "instruction": "work"}]}
        text = plan_text(make_repo(self._place / "repo"), steps, tail=talker(self.log, self.flag))
        name = submit(self.served, text)
        self.served.until_status(name, "ready")
        self.served.client.call("workflow.start", workflow=name)
        self.until_told(name, 1)
        return name

    def until_told(self, name: str, incarnation: int) -> None:
        self.served.until(
            name,
            lambda row: (
                terminal(row, "a/1")["delivered"]
                and terminal(row, "a/1")["incarnation"] == incarnation
            ),
        )

    def kill(self, name: str) -> None:
        """`kill -9` of the program, by its process id."""
        (host,) = [h for h in running_hosts(self.served.home) if h.identity]
        assert host.identity is not None
        os.kill(host.identity.program_pid, signal.SIGKILL)
        self.served.until(name, lambda row: row["tasks"][0]["status"] == "failed")

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def scene(served: Served, tmp_path: Path) -> Scene:
    return Scene(served, tmp_path)


def test_a_killed_program_goes_on_with_its_conversation(scene: Scene) -> None:
    name = scene.begin()
    scene.kill(name)
    scene.flag.touch()
    scene.served.client.call("task.retry", task=f"{name}/a/")
    scene.served.until_status(name, "completed")
    first, second = scene.told()
    assert (first["argv"], first["before"]) == ([], 0)
    assert (second["argv"], second["before"]) == (["--resume", SESSION], 1)
    assert "this conversation goes on" in second["told"]
    (resumed,) = facts(scene.served, "terminal.resumed_conversation")
    assert (resumed["incarnation"], resumed["session"]) == (2, SESSION)
    used = scene.served.client.call("usage")["used"]
    assert sum(each["input"] for each in used) == 14
    kept = scene.served.home / "terminals"
    # Not `rglob`, which fails where a directory goes while it looks.
    until(lambda: not any("home" in names for _, names, _ in os.walk(kept)))


def test_a_conversation_that_is_not_to_go_on_begins_anew(scene: Scene) -> None:
    name = scene.begin()
    scene.kill(name)
    scene.served.sql("UPDATE terminal SET fresh = 1")
    scene.flag.touch()
    scene.served.client.call("task.retry", task=f"{name}/a/")
    scene.served.until_status(name, "completed")
    assert [told["argv"] for told in scene.told()] == [[], []]
    assert facts(scene.served, "terminal.resumed_conversation") == []
    used = scene.served.client.call("usage")["used"]
    assert sum(each["input"] for each in used) == 14


def test_the_home_of_another_cli_is_not_taken_over(scene: Scene) -> None:
    name = scene.begin()
    scene.kill(name)
    home = next((scene.served.home / "terminals").rglob("conversation.json"))
    home.write_text('{"cli":"another"}')
    scene.flag.touch()
    scene.served.client.call("task.retry", task=f"{name}/a/")
    scene.served.until_status(name, "completed")
    assert [told["argv"] for told in scene.told()] == [[], []]
