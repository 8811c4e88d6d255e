"""A database that is not sound, is locked, or has no room: what docs/recovery.md says of it."""

import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from actors.command_line.client import daemon
from tests.doors.kit import PYTHON, Call, Home, coder, plan_text
from tests.doors.working import Working, ended

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


def test_up_says_at_once_why_no_runtime_comes_up(
    home: Home, repo: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for the start that has failed already."""
    monkeypatch.setattr(daemon, "_START_SECONDS", 3600.0)
    served_once(home).write_bytes(b"this is no database" * 1000)
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder("$ true")]}))
    code, out, errors = call("up", str(plan), "--home", str(home.path))
    assert code == 3, out + errors
    assert "not a sound database" in errors


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


def test_what_failed_is_said_and_not_that_it_could_not_be_taken_back(home: Home) -> None:
    home.prefix = ["sh", "-c", 'ulimit -f 100; exec "$@"', "sh"]  # no file over 50 kB
    words = refused(home)
    home.prefix = []
    assert "callboard.db cannot be opened: disk I/O error" in words
