"""What runs is ended for want of memory only if it has nothing to do; and it goes on later."""

import json
import os
import select
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.platform import room
from actors.terminal import launcher, relief
from actors.terminal.relief import Relief
from bus import address as addresses
from bus.kinds import LimitKind, Role
from bus.messages import Look
from bus.rows import Terminal
from bus.status import TerminalStatus
from tests.actors.served import Served, facts, submit
from tests.actors.terminal.test_conversation import SESSION, talker
from tests.doors.acting import terminal
from tests.doors.kit import coder, done, plan_text
from tests.repositories import make_repo


class Machine:
    """What the machine says of its memory."""

    def __init__(self) -> None:
        self.free: int | None = 10_000
        self.pressure: float | None = 0.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    says = Machine()
    monkeypatch.setattr(launcher, "AGAIN", 0.1)
    monkeypatch.setattr(relief, "RELIEF", 0.0)
    monkeypatch.setattr(room, "free_memory", lambda: says.free)
    monkeypatch.setattr(room, "memory_pressure", lambda: says.pressure)
    return says


def look(served: Served) -> None:
    """As the kernel's alarm does."""
    served.runtime._directory.deliver(addresses.LAUNCHER, Look())  # noqa: SLF001


def wait_for(flag: Path) -> str:
    return f"$ until test -e {flag}; do sleep 0.1; done"


def begin(served: Served, place: Path, tasks: dict[str, list[dict[str, Any]]], tail: str) -> str:
    head = "idle_after = 0.2\nnudges = 0"
    name = submit(served, plan_text(make_repo(place / "repo"), tasks, head=head, tail=tail))
    served.until_status(name, "ready")
    served.client.call("workflow.start", workflow=name)
    return name


def test_the_idle_one_is_ended_and_its_conversation_goes_on(
    served: Served, tmp_path: Path, machine: Machine
) -> None:
    log, flag = tmp_path / "log", tmp_path / "go"
    """The youngest is `c`, which is idle too, but its CLI cannot resume; `b` works."""
    busy = coder(f"{wait_for(flag)}\n$ echo b > b; git add b; git commit -qm 'b #done'\n")
    tasks = {"a": [{"cli": "talker", "instruction": "work"}], "b": [busy], "c": [coder("$ true")]}
    name = begin(served, tmp_path, tasks, talker(log, flag, turn=0.1))
    served.until(
        name,
        lambda row: (
            terminal(row, "a/1")["idle"]
            and terminal(row, "b/1")["delivered"]
            and terminal(row, "c/1")["idle"]
        ),
    )
    machine.free = relief.LAST_MEMORY - 1
    look(served)
    served.until(name, lambda row: terminal(row, "a/1")["waits"] == "memory")
    assert Relief(served.runtime._stage).name() is None  # noqa: SLF001 - b works, c cannot resume
    (short,) = facts(served, "memory.short")
    assert (short["address"], short["incarnation"]) == ("demo/a/1/", 1)
    assert short["reason"] == "127 MiB are free"
    machine.free = 10_000
    flag.touch()
    served.until(name, lambda row: [t["status"] for t in row["tasks"][:2]] == ["completed"] * 2)
    row = served.client.call("workflow.get", workflow=name)
    assert [terminal(row, f"{id}/1")["incarnation"] for id in "abc"] == [2, 1, 1]
    assert len(facts(served, "memory.short")) == 1
    (resumed,) = facts(served, "terminal.resumed_conversation")
    assert resumed["session"] == SESSION
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert "this conversation goes on" in told[-1]["told"]


def test_the_youngest_goes_first_and_one_whose_turn_has_not_come_waits_for_it(
    served: Served, tmp_path: Path, machine: Machine
) -> None:
    flag = tmp_path / "go"
    first = coder(f"{wait_for(flag)}\n$ echo a > a; git add a; git commit -qm 'a #done'\n")
    name = begin(served, tmp_path, {"a": [first, done("later")]}, "")
    served.until(name, lambda row: terminal(row, "a/1")["delivered"])
    machine.pressure = relief.LAST_PRESSURE + 1
    look(served)
    served.until(name, lambda row: terminal(row, "a/2")["gone"])
    later = terminal(served.client.call("workflow.get", workflow=name), "a/2")
    assert not later["wanted"]
    assert later["reason"] == (
        "the machine is short of memory: everything waits for memory 41 % of the time; "
        "it is started again when its turn comes"
    )
    machine.pressure = 0.0
    flag.touch()
    served.until_status(name, "completed")
    row = served.client.call("workflow.get", workflow=name)
    assert [terminal(row, f"a/{n}")["incarnation"] for n in (1, 2)] == [1, 2]


def test_of_those_that_began_together_the_last_of_the_plan_goes_first(
    served: Served, tmp_path: Path, machine: Machine
) -> None:
    """All that one `start` began have the same time. Hazard 93."""
    tasks = {id: [{"cli": "talker", "instruction": "work"}] for id in "ab"}
    talks = talker(tmp_path / "log", tmp_path / "go", turn=0.1)
    name = begin(served, tmp_path, tasks, talks)
    served.until(name, lambda row: all(terminal(row, f"{id}/1")["idle"] for id in "ab"))
    machine.free = relief.LAST_MEMORY - 1
    named = Relief(served.runtime._stage).name()  # noqa: SLF001
    assert named is not None
    assert named.address == "demo/b/1/"


WORKS = Terminal(
    address="demo/a/1/",
    task="demo/a/",
    position=1,
    role=Role.CODER,
    cli="x",
    status=TerminalStatus.RUNNING,
    shall_run=True,
    gone=False,
    step=2,
    sent=2,
    delivered=2,
)


@pytest.mark.parametrize(
    ("changed", "rests"),
    [
        ({}, False),
        ({"ended": 2}, False),  # its commit may be judged just now
        ({"ended": 2, "idle": "no commit"}, True),
        ({"ended": 1, "idle": "a pager"}, False),  # within its turn
        ({"ended": 2, "idle": "no commit", "blocked": "asks"}, False),
        ({"ended": 2, "limited": LimitKind.USAGE}, True),
        ({"ended": 1, "limited": LimitKind.USAGE}, False),  # it tries again by itself
        ({"ended": 2, "step": 3, "limited": LimitKind.USAGE}, True),
        ({"ended": 2, "limited": LimitKind.CAP}, False),  # a person decides on its cap
        ({"ended": 2, "idle": "no commit", "kept": True, "resting": True}, False),
        ({"status": TerminalStatus.WAITING}, True),
        ({"status": TerminalStatus.STARTING}, False),
        ({"status": TerminalStatus.WAITING, "shall_run": False}, False),
        ({"status": TerminalStatus.WAITING, "gone": True}, False),
    ],
)
def test_what_rests(changed: dict[str, Any], rests: bool) -> None:
    assert msgspec.structs.replace(WORKS, **changed).rests is rests


@pytest.mark.skipif(
    not os.access("/proc/pressure/memory", os.W_OK), reason="needs the kernel's word on memory"
)
def test_the_alarm_is_silent_while_there_is_memory() -> None:
    alarm = room.MemoryAlarm()
    try:
        assert select.select([alarm], [], [], 0) == ([], [], [])
    finally:
        alarm.close()


def test_where_nobody_tells_there_is_no_alarm(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="pressure"):
        room.MemoryAlarm(tmp_path)
