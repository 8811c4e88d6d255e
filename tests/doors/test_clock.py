"""Clocks that jump and time that stands still: no limit runs out by that, and each holds."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.pty.ending import running_hosts
from tests.doors.kit import PYTHON, ROOT, Home, coder, commit, plan_text, types

HOURS = 3600
SHIFTED = Path(__file__).with_name("shifted.py")


@pytest.fixture
def shift(tmp_path: Path) -> Path:
    """Says by how many seconds the runtime's clock is wrong."""
    file = tmp_path / "shift"
    file.write_text("0")
    return file


@pytest.fixture
def home(tmp_path: Path, shift: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home", prefix=[PYTHON, str(SHIFTED), str(shift)])
    yield home
    home.close()


def jump(shift: Path, seconds: float) -> None:
    draft = shift.with_suffix(".new")
    draft.write_text(str(seconds))
    draft.replace(shift)


def until_there(file: Path) -> str:
    return f"while [ ! -e {file} ]; do sleep 0.05; done"


def start(home: Home, repo: Path, tmp_path: Path, timeout: float, head: str = "") -> Path:
    """A task that works until the file is there that is returned, no longer than `timeout`."""
    gate = tmp_path / "go"
    script = f"$ {until_there(gate)}\n" + commit("a", "x", "write a #done")
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder(script, timeout=timeout)]}, head=head))
    home.serve()
    home.ok("submit", str(plan))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    home.until(lambda row: terminal(row)["sent"] == 1)
    return gate


def terminal(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = row["tasks"][0]["terminals"][0]
    return found


@pytest.mark.parametrize("hours", [8, -8], ids=["ahead", "back"])
@pytest.mark.parametrize("restart", [False, True], ids=["served", "killed"])
def test_a_clock_that_jumps_ends_nothing(
    home: Home, repo: Path, tmp_path: Path, shift: Path, hours: int, restart: bool
) -> None:
    tested = tmp_path / "tested"
    test = json.dumps(["sh", "-c", until_there(tested)])
    limits = f"test = {test}\ntest_timeout = 60\nstall_after = 60"
    gate = start(home, repo, tmp_path, 60, limits)
    jump(shift, hours * HOURS)
    if restart:
        home.kill()
        home.serve()
    gate.touch()
    home.until(lambda row: row["status"] == "merging")
    home.until(lambda _: any("tests" in str(found.directory) for found in running_hosts(home.path)))
    jump(shift, -hours * HOURS)
    if restart:
        home.kill()
        home.serve()
    tested.touch()
    home.until(lambda row: row["status"] in ("completed", "failed"))
    facts = home.facts()
    assert home.status() == "completed", facts
    wrong = {"terminal.timeout", "terminal.stalled", "actor.failed", "instruction.unconfirmed"}
    assert not wrong & set(types(facts))
    assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1))
    (ready,) = [f for f in facts if f["type"] == "terminal.ready"]
    (ran,) = [f for f in facts if f["type"] == "merge.tested"]
    assert 0 < ready["seconds"] < HOURS
    assert 0 < ran["seconds"] < HOURS


@pytest.mark.parametrize("restart", [False, True], ids=["served", "killed"])
def test_a_limit_holds_though_the_clock_was_set_back(
    home: Home, repo: Path, tmp_path: Path, shift: Path, restart: bool
) -> None:
    start(home, repo, tmp_path, 4)
    jump(shift, -8 * HOURS)
    if restart:
        home.kill()
        home.serve()
    home.until(lambda row: terminal(row)["status"] == "failed")
    assert "terminal.timeout" in types(home.facts())


def test_a_test_run_is_ended_in_time_though_the_clock_was_set_back(
    home: Home, repo: Path, tmp_path: Path, shift: Path
) -> None:
    limits = 'test = ["sleep", "600"]\ntest_timeout = 5'
    gate = start(home, repo, tmp_path, 60, limits)
    gate.touch()
    home.until(lambda _: any("tests" in str(found.directory) for found in running_hosts(home.path)))
    jump(shift, -8 * HOURS)
    home.kill()
    home.serve()
    home.until(lambda row: row["status"] == "failed")
    (ran,) = [f for f in home.facts() if f["type"] == "merge.tested"]
    assert ran["timed_out"]


def test_time_in_which_everything_stood_still_is_not_counted(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    gate = start(home, repo, tmp_path, 5)
    (host,) = running_hosts(home.path)
    assert host.identity is not None
    assert home.served is not None
    pids = [home.served.pid, host.identity.host_pid, host.identity.program_pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(6)  # the lid is closed for longer than the limit
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    gate.touch()
    home.until(lambda row: row["status"] in ("completed", "failed"))
    assert home.status() == "completed", "\n".join(map(str, home.facts()))


def test_only_one_module_reads_the_clock_on_the_wall() -> None:
    """The hosts date their records for people; the machinery its letters; pins their commits."""
    known = {"actors/host/hosting.py", "actors/git/trees/pins.py"}
    known |= {f"actors/supervision/{name}.py" for name in ("events", "record")}
    known |= {
        "actors/notice/post.py",
        "actors/supervision/supervisor.py",
        "bus/clock.py",
    }  # the first: see recovery.md
    found = {
        str(path.relative_to(ROOT))
        for floor in ("bus", "store", "actors")
        for path in (ROOT / floor).rglob("*.py")
        if any(word in path.read_text() for word in ("time.time", "datetime.now", "utcnow"))
    }
    assert found == known
