"""Many programs that do not want to end: one grace for all, not one for each."""

import os
import signal
import time
from pathlib import Path

import pytest
from acting import Acting, cli
from kit import Home, plan_text

from actors.ending import running_hosts

MANY = 12
GRACE = 2


@pytest.fixture
def stubborn(acting: Acting, repo: Path, tmp_path: Path) -> Acting:
    """Programs at work with a child that ignores TERM."""
    child = f"trap '' TERM HUP; echo x >> {tmp_path}/up; while :; do sleep 0.2; done"
    lines = f"$ {child}\n"
    tasks = {f"t{n}": [{"cli": "stubborn", "instruction": "x"}] for n in range(MANY)}
    acting.begin(plan_text(repo, tasks, head="max_terminals = 40", tail=cli("stubborn", lines)))
    end = time.monotonic() + 60
    while not ((up := tmp_path / "up").exists() and len(up.read_text()) == 2 * MANY):
        assert time.monotonic() < end
        time.sleep(0.05)
    return acting


def test_down_with_terminals_ends_many_in_one_grace(stubborn: Acting) -> None:
    home, begun = stubborn.home, time.monotonic()
    said = home.json("down", "--terminals")
    took = time.monotonic() - begun
    assert said["ended"] is True
    assert said["terminals"] == []
    assert running_hosts(home.path) == []
    assert GRACE - 0.5 < took < 4 * GRACE


def test_stop_ends_many_in_one_grace(stubborn: Acting) -> None:
    home, begun = stubborn.home, time.monotonic()
    home.ok("stop", "demo")
    took = time.monotonic() - begun
    assert stubborn.row()["tidied"]
    assert running_hosts(home.path) == []
    assert GRACE - 0.5 < took < 4 * GRACE


def test_down_says_that_the_runtime_has_not_ended(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors import process

    monkeypatch.setattr(process, "_STOP_SECONDS", 0.5)
    monkeypatch.setattr(process.Client, "call", lambda *_, **__: None)  # it takes no orders
    runtime = home.serve()
    result = process.down(home.path, terminals=False)
    assert result["ended"] is False
    assert "has not ended within" in result["message"]
    assert runtime.poll() is None
    os.kill(runtime.pid, signal.SIGTERM)
    monkeypatch.setattr(process, "_STOP_SECONDS", 30)
    assert process.down(home.path, terminals=False)["ended"] is True
