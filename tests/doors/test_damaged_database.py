"""A page in the middle of the database's file is damaged, while a runtime serves or none does."""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from actors.pty.ending import running_hosts
from bus.facts import CommitSeen
from store.database import create_or_migrate
from store.journal import Journal
from tests.doors.kit import Home, coder, commit, plan_text, types

PAGE = 4096
HISTORY = 3_000


@pytest.fixture
def path(home: Home) -> Path:
    """A database with a history."""
    home.path.mkdir(parents=True)
    path = home.path / "callboard.db"
    create_or_migrate(path)
    journal = Journal(path, lambda _: None, pytest.fail)
    for start in range(0, HISTORY, 500):
        journal.commit(
            [
                CommitSeen(address="old/a/", branch="b", commit=f"{n:040x}", subject=f"mark-{n}-")
                for n in range(start, start + 500)
            ]
        )
    journal.close()
    return path


def at_work(home: Home, repo: Path, tmp_path: Path) -> Path:
    """A workflow in the middle of its work, until the file is there that is returned."""
    gate = tmp_path / "go"
    script = f"$ while [ ! -e {gate} ]; do sleep 0.05; done\n" + commit("a", "x", "write a #done")
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder(script)]}))
    home.serve()
    home.ok("submit", str(plan))
    home.ok("prepare", "demo")
    home.ok("start", "demo")
    home.until(lambda row: row["tasks"][0]["terminals"][0]["delivered"] == 1)
    return gate


def overwrite(path: Path, page: int, data: bytes = b"\0" * PAGE) -> bytes:
    """Its old content. Pages are counted from 0."""
    with path.open("r+b", buffering=0) as file:
        old = os.pread(file.fileno(), PAGE, page * PAGE)
        os.pwrite(file.fileno(), data, page * PAGE)
        os.fsync(file.fileno())
    return old


def all_in_the_file(path: Path) -> None:
    """Nothing is left in the write-ahead log, where it would hide the damage."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize("when", ["serving", "down"])
def test_damaged_history_is_said_to_who_asks_for_it_and_the_work_goes_on(
    home: Home, path: Path, repo: Path, tmp_path: Path, when: str
) -> None:
    gate = at_work(home, repo, tmp_path)
    if when == "down":
        home.kill()
    overwrite(path, path.read_bytes().index(b"mark-1500-") // PAGE)
    if when == "down":
        home.serve()
    asked = home.run("events", "--json")
    assert asked.returncode == 1, asked.stdout[-500:] + asked.stderr
    assert "callboard.db is damaged" in asked.stderr
    assert "run.py doctor" in asked.stderr
    assert "Traceback" not in asked.stderr
    gate.touch()
    home.until(lambda row: row["status"] == "completed")
    facts = home.facts("--after", str(HISTORY))
    assert [f["seq"] for f in facts] == list(range(HISTORY + 1, HISTORY + 1 + len(facts)))
    assert types(facts).count("instruction.sent") == 1
    assert "actor.failed" not in types(facts)
    report = home.run("doctor", "--json")
    assert report.returncode == 1
    (item,) = [i for i in json.loads(report.stdout)["items"] if "database" in i["what"]]
    assert item["state"] == "missing"
    assert item["what"].startswith("the database is damaged (fact: ")
    assert "doctor --mend" in item["help"]


def test_what_the_message_says_mends_it(home: Home, path: Path, repo: Path, tmp_path: Path) -> None:
    gate = at_work(home, repo, tmp_path)
    overwrite(path, path.read_bytes().index(b"mark-1500-") // PAGE)
    busy = home.run("doctor", "--mend")
    assert busy.returncode == 3
    assert "run.py down" in busy.stderr
    before = home.facts("demo")
    home.ok("down")
    said = home.run("doctor", "--mend")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "the database is sound" in said.stdout
    assert "mended; lost: facts " in said.stderr
    home.serve()
    gate.touch()
    home.until(lambda row: row["status"] == "completed")
    assert home.facts("demo")[: len(before)] == before
    numbers = [f["seq"] for f in home.facts()]
    lost = set(range(1, numbers[-1] + 1)) - set(numbers)
    assert 1501 in lost, "those of the page, and a gap shows them"
    assert len(lost) < 40
    assert len(numbers) == len(set(numbers))
    assert types(home.facts("demo/a/1")).count("instruction.sent") == 1


def test_where_live_rows_are_damaged_nothing_is_done_on_a_guess(
    home: Home, path: Path, repo: Path, tmp_path: Path
) -> None:
    gate = at_work(home, repo, tmp_path)
    home.kill()
    before = len(running_hosts(home.path))
    all_in_the_file(path)
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'terminal'"
        ((page,),) = database.execute(query).fetchall()
    old = overwrite(path, page - 1)
    home.serve()
    for words in (("ps", "demo"), ("pause", "demo"), ("ps",)):
        asked = home.run(*words)
        assert asked.returncode == 1, asked.stdout + asked.stderr
        assert "callboard.db is damaged" in asked.stderr
        assert "Traceback" not in asked.stderr
    assert home.run("tree").returncode == 0
    gate.touch()
    time.sleep(1)  # the agent works on, and nobody can tell
    assert len(running_hosts(home.path)) == before == 1
    home.kill()
    all_in_the_file(path)
    overwrite(path, page - 1, old)  # the copy is restored
    home.serve()
    home.until(lambda row: row["status"] == "completed")
    facts = home.facts()
    assert [f["seq"] for f in facts] == list(range(1, len(facts) + 1))
    told = types(facts)
    assert told.count("instruction.sent") == told.count("merge.landed") == 1
