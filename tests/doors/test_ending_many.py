"""Many programs that do not want to end: one grace for all, not one for each."""

import os
import signal
import time
from pathlib import Path

import pytest

from actors.pty.ending import running_hosts
from tests.doors.acting import Acting, cli
from tests.doors.kit import Home, plan_text

MANY = 12


@pytest.fixture
def stubborn(acting: Acting, repo: Path, tmp_path: Path) -> Acting:
    """Programs at work with a child that does not end at TERM, and notes how many are there."""
    up, asked = tmp_path / "up", tmp_path / "asked"
    # Nothing but the shell itself: another process would be asked to end as well.
    count = f"n=0; while read p; do kill -0 $p && n=$((n+1)); done < {up}; echo $n >> {asked}"
    child = f"exec 2> /dev/null; trap '' HUP; trap '{count}' TERM; echo $$ >> {up}"
    lines = f"$ {child}; while :; do sleep 0.2; done\n"
    tasks = {f"t{n}": [{"cli": "stubborn", "instruction": "x"}] for n in range(MANY)}
    acting.begin(plan_text(repo, tasks, head="max_terminals = 40", tail=cli("stubborn", lines)))
    end = time.monotonic() + 60
    while not (up.exists() and up.read_text().count("\n") == MANY):
        assert time.monotonic() < end
        time.sleep(0.05)
    return acting


def asked(tmp_path: Path) -> list[int]:
    """How many were there when each was asked to end.

    One less each time, down to one, if each were waited for before the next is asked.
    """
    return [int(line) for line in (tmp_path / "asked").read_text().split()]


def test_down_with_terminals_ends_many_in_one_grace(stubborn: Acting, tmp_path: Path) -> None:
    home = stubborn.home
    said = home.json("down", "--terminals")
    assert said["ended"] is True
    assert said["terminals"] == []
    assert running_hosts(home.path) == []
    assert min(asked(tmp_path)) > MANY // 2


def test_stop_ends_many_in_one_grace(stubborn: Acting, tmp_path: Path) -> None:
    home = stubborn.home
    home.ok("stop", "demo")
    assert stubborn.row()["tidied"]
    assert running_hosts(home.path) == []
    assert min(asked(tmp_path)) > MANY // 2


def test_down_says_that_the_runtime_has_not_ended(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors.command_line.client import daemon as process
    from bus.client import Client

    monkeypatch.setattr(process, "_STOP_SECONDS", 0.5)
    monkeypatch.setattr(Client, "ask", lambda *_, **__: None)  # it takes no orders
    runtime = home.serve()
    result = process.down(home.path, terminals=False)
    assert result.ended is False
    assert "has not ended within" in result.message
    assert runtime.poll() is None
    end = lambda *_, **__: os.kill(runtime.pid, signal.SIGTERM)  # noqa: E731
    monkeypatch.setattr(Client, "ask", end)
    monkeypatch.setattr(process, "_STOP_SECONDS", 60)
    assert process.down(home.path, terminals=False).ended is True
