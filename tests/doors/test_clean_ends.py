"""How the runtime ends, and what is left then: every way that docs/recovery.md names."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit import PYTHON, ROOT, Home, coder, commit, git, moves, plan_text, types

from actors.ending import running_hosts
from actors.terminals import processes
from bus import connection
from bus.client import Client


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return str(path)


def waits_for(file: Path, then: str = "") -> str:
    """An instruction that works until a file is there."""
    waiting = f"$ while [ ! -e {file} ]; do sleep 0.05; done\n"
    return waiting + (then or commit("a", "x", "write a #done"))


def until(is_true: Callable[[], Any], what: str, timeout: float = 30) -> None:
    """For what no fact tells: the state of a process or a file."""
    end = time.monotonic() + timeout
    while not is_true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


class Working:
    """A workflow in the middle of its work; `go` lets it finish."""

    def __init__(self, home: Home, repo: Path, tmp_path: Path) -> None:
        self.home = home
        self.gate = tmp_path / "go"
        tasks = {"a": [coder(waits_for(self.gate))]}
        home.serve()
        with Client(connection.read(home.path).requests) as client:
            client.call("plan.submit", plan=plan_text(repo, tasks), base=str(tmp_path))
            client.call("workflow.prepare", workflow="demo")
            until(lambda: self._row(client)["status"] == "ready", "it is ready")
            client.call("workflow.start", workflow="demo")
            until(lambda: self._terminal(client)["sent"] == 1, "it has its instruction")

    def _row(self, client: Client) -> dict[str, Any]:
        row: dict[str, Any] = client.call("workflow.get", workflow="demo")
        return row

    def _terminal(self, client: Client) -> dict[str, Any]:
        terminal: dict[str, Any] = self._row(client)["tasks"][0]["terminals"][0]
        return terminal

    def hosts(self) -> list[processes.Found]:
        return running_hosts(self.home.path)

    def go(self) -> None:
        self.gate.touch()
        self.home.until(lambda row: row["status"] == "completed")


@pytest.fixture
def working(home: Home, repo: Path, tmp_path: Path) -> Working:
    return Working(home, repo, tmp_path)


def ended(home: Home) -> tuple[int, str]:
    """Exit code and words of the runtime."""
    assert home.served is not None
    words, _ = home.served.communicate(timeout=30)
    return home.served.returncode, words


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_leaves_the_terminals(
    working: Working, signo: signal.Signals
) -> None:
    home = working.home
    assert home.served is not None
    home.served.send_signal(signo)
    code, words = ended(home)
    assert code == 0
    assert "1 terminals go on" in words
    assert "down --terminals" in words
    assert not (home.path / "connection.json").exists()
    assert len(working.hosts()) == 1
    home.serve()
    working.go()
    stops = [f for f in home.facts() if f["type"] == "runtime.stopped"]
    assert [f["reason"] for f in stops] == [signo.name]
    assert types(home.facts("demo/a/1")).count("terminal.adopted") == 1
    assert types(home.facts("demo/a/1")).count("instruction.sent") == 1


def test_a_second_signal_ends_it_at_once(working: Working) -> None:
    runtime = working.home.served
    assert runtime is not None
    for signo in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        runtime.send_signal(signo)  # both come before the first could end it
    assert ended(working.home)[0] in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    working.home.serve()
    working.go()


def test_down_leaves_the_terminals_and_says_so(working: Working) -> None:
    said = working.home.ok("down")
    assert "1 terminals go on" in said
    assert ended(working.home)[0] == 0
    assert len(working.hosts()) == 1
    again = working.home.run("down")
    assert again.returncode == 3
    assert "no runtime serves" in again.stderr


def test_down_with_terminals_leaves_nothing(working: Working) -> None:
    (host,) = working.hosts()
    assert host.identity is not None
    assert "no terminal is left" in working.home.ok("down", "--terminals")
    assert ended(working.home)[0] == 0
    assert working.hosts() == []
    assert processes.marked(host.identity.token) == set()
    working.home.serve()
    row = working.home.until(lambda row: row["status"] == "failed")
    assert "failed" in row["tasks"][0]["status"]
    assert row["tasks"][0]["terminals"][0]["reason"]


def test_down_with_terminals_ends_what_a_killed_runtime_left(working: Working) -> None:
    working.home.kill()
    assert len(working.hosts()) == 1
    assert "no terminal is left" in working.home.ok("down", "--terminals")
    assert working.hosts() == []


def test_stop_ends_the_programs_and_keeps_the_branch(working: Working, repo: Path) -> None:
    (host,) = working.hosts()
    assert host.identity is not None
    working.home.ok("stop", "demo")
    assert working.home.status() == "cancelled"
    assert working.hosts() == []
    assert processes.marked(host.identity.token) == set()
    assert git(repo, "rev-parse", "feat/a")
    refused = working.home.run("resume", "demo")
    assert refused.returncode == 4


def test_while_paused_nothing_new_begins_also_after_a_crash(
    home: Home, repo: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    work = waits_for(gate, commit("a", "x", "write a #review"))
    read = "$ git commit -q --allow-empty -m 'read it #done'\n"
    home.serve()
    tasks = {"a": [coder(work), coder(read, role="reviewer")]}
    home.json("submit", write(tmp_path, plan_text(repo, tasks)))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    home.ok("pause", "demo")
    gate.touch()
    home.until(lambda row: row["tasks"][0]["status"] == "review_pending")
    home.kill()
    home.serve()
    row = home.until(lambda row: row["tasks"][0]["terminals"][0]["delivered"] == 1)
    assert row["status"] == "paused"
    assert row["tasks"][0]["terminals"][1]["status"] == "waiting"
    home.ok("resume", "demo")
    home.until(lambda row: row["status"] == "completed")
    assert moves(home.facts("demo"), "demo/")[-4:] == ["paused", "running", "merging", "completed"]


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_pause_freeze_stops_the_programs_until_resume_also_over_a_crash(working: Working) -> None:
    (host,) = working.hosts()
    assert host.identity is not None
    stat = Path(f"/proc/{host.identity.program_pid}/stat")

    def is_stopped() -> bool:
        return stat.read_text().rpartition(")")[2].split()[0] == "T"

    working.home.ok("pause", "demo", "--freeze")
    until(is_stopped, "the program stops")
    working.home.kill()
    assert is_stopped()
    working.home.serve()
    working.home.until(lambda row: row["frozen"])
    assert is_stopped()
    working.home.ok("resume", "demo")
    until(lambda: not is_stopped(), "the program goes on")
    working.go()


def test_everything_stopped_and_continued_goes_on_as_if_nothing_was(working: Working) -> None:
    (host,) = working.hosts()
    assert host.identity is not None
    assert working.home.served is not None
    pids = [working.home.served.pid, host.identity.host_pid, host.identity.program_pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    working.gate.touch()
    time.sleep(1.5)  # the lid is closed
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    working.go()
    kinds = types(working.home.facts())
    assert not {"actor.failed", "terminal.stalled", "instruction.unconfirmed"} & set(kinds)


def test_a_second_runtime_says_who_holds_the_home(home: Home) -> None:
    first = home.serve()
    second = home.run("serve")
    assert second.returncode == 3
    assert f"process {first.pid} serves {home.path}" in second.stderr
    assert home.run("ps").returncode == 0


def test_the_lock_is_released_by_death_and_the_left_over_file_names_nobody(home: Home) -> None:
    first = home.serve()
    home.kill()
    assert (home.path / "connection.json").exists()
    asked = home.run("ps")
    assert asked.returncode == 3
    assert f"left by process {first.pid}" in asked.stderr
    assert "run.py serve" in asked.stderr
    home.serve()
    assert home.run("ps").returncode == 0


def test_a_home_that_is_deleted_ends_the_runtime(home: Home) -> None:
    home.serve()
    shutil.rmtree(home.path)
    code, words = ended(home)
    assert code == 1
    assert "was taken away" in words


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    parent = tmp_path / "locked"
    parent.mkdir(mode=0o500)
    home = Home(Path("/proc/callboard") if os.geteuid() == 0 else parent / "home")
    refused = home.run("serve")
    assert refused.returncode == 3
    assert refused.stderr.startswith("error: ")
    assert str(home.path) in refused.stderr
    assert "Traceback" not in refused.stderr


# ---- the database ------------------------------------------------------------------------------


def served_once(home: Home) -> Path:
    home.serve()
    home.ok("down")
    ended(home)
    return home.path / "callboard.db"


def refused(home: Home) -> str:
    """`serve` must not come up: its words."""
    found = home.run("serve")
    assert found.returncode == 3, found.stdout + found.stderr
    assert "Traceback" not in found.stderr
    return found.stderr


def test_a_corrupt_database_is_said_and_not_touched(home: Home) -> None:
    path = served_once(home)
    broken = b"this is no database" * 1000
    path.write_bytes(broken)
    words = refused(home)
    assert "not a sound database" in words
    assert ".recover" in words
    assert path.read_bytes() == broken


def sql(path: Path, *statements: str) -> None:
    import sqlite3

    with contextlib.closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def test_a_database_of_a_newer_program_is_said_and_not_touched(home: Home) -> None:
    path = served_once(home)
    sql(path, "PRAGMA user_version = 99")
    assert "newer Callboard" in refused(home)
    sql(path, "PRAGMA user_version = 1")
    home.serve()


class Locked:
    """Another program that holds the database's lock."""

    def __init__(self, path: Path) -> None:
        script = (
            "import sqlite3, sys\n"
            f"database = sqlite3.connect({str(path)!r}, timeout=20, isolation_level=None)\n"
            "database.execute('BEGIN IMMEDIATE')\n"
            "print('locked', flush=True)\n"
            "sys.stdin.read()\n"
        )
        self._process = subprocess.Popen(
            [PYTHON, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "locked\n"

    def release(self) -> None:
        self._process.communicate(timeout=10)


def test_a_database_locked_by_another_program_is_said(home: Home) -> None:
    other = Locked(served_once(home))
    try:
        assert "locked by another program" in refused(home)
    finally:
        other.release()
    home.serve()


def test_locked_for_long_while_it_serves_loses_nothing_and_goes_on(working: Working) -> None:
    home = working.home
    before = home.facts()
    other = Locked(home.path / "callboard.db")
    try:
        working.gate.touch()
        said = home.run("pause", "demo")
        assert said.returncode == 3, said.stdout + said.stderr
        assert "locked" in said.stderr
        assert home.facts()[: len(before)] == before
    finally:
        other.release()
    home.until(lambda row: row["status"] == "completed")
    check_journal(home, before)


def check_journal(home: Home, before: list[dict[str, Any]]) -> None:
    """What was acknowledged stands, each commit was told once, and nothing is missing."""
    facts = home.facts()
    assert facts[: len(before)] == before
    assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1))
    seen = [f["commit"] for f in facts if f["type"] == "commit.seen"]
    assert len(seen) == len(set(seen)) == 1


# ---- no room -----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A disk of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "callboard-test", str(place)],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        pytest.skip("only root on Linux may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return filler


def test_a_full_disk_takes_nothing_back_and_work_goes_on_when_there_is_room(
    small_disk: Path, repo: Path, tmp_path: Path
) -> None:
    home = Home(small_disk / "home")
    try:
        working = Working(home, repo, tmp_path)
        before = home.facts()
        filler = fill(small_disk)
        said = home.run("pause", "demo")
        assert said.returncode == 3, said.stdout + said.stderr
        assert "full" in said.stderr
        working.gate.touch()
        time.sleep(2)  # the agent's commit cannot be told
        assert home.facts()[: len(before)] == before
        assert home.served is not None
        assert home.served.poll() is None, "it serves on"
        filler.unlink()
        home.until(lambda row: row["status"] == "completed")
        check_journal(home, before)
    finally:
        home.close()


def test_a_start_on_a_full_disk_is_said(small_disk: Path) -> None:
    home = Home(small_disk / "home")
    filler = fill(small_disk)
    refused = home.run("serve")
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr
    filler.unlink()
    try:
        home.serve()
    finally:
        home.close()


def test_the_program_runs_from_a_directory_that_is_not_its_own(home: Home, tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, str(ROOT / "run.py"), "ps", "--home", str(home.path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
