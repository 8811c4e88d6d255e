"""The database's files are deleted or replaced: while a runtime serves, and while none does."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.pty.ending import running_hosts
from bus import connection
from bus.client import Client, NoAnswer
from tests.doors.kit import Home, coder, done, plan_text


@pytest.fixture
def waiting(home: Home, repo: Path, tmp_path: Path) -> Iterator[Home]:
    """A home with a workflow whose one terminal waits."""
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [done("a")]}))
    home.serve()
    home.ok("submit", str(plan))
    home.ok("prepare", "demo")
    yield home
    for copy in home.path.glob("callboard.db.rescued-*"):
        copy.replace(home.path / "callboard.db")


def words_at_the_end(home: Home) -> str:
    assert home.served is not None
    words, _ = home.served.communicate(timeout=30)
    assert home.served.returncode == 1, words
    return words


def replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    copy.replace(path)


def empty(path: Path) -> None:
    os.truncate(path, 0)


LOSSES = [
    ("callboard.db", Path.unlink),
    ("callboard.db-wal", Path.unlink),
    ("callboard.db-shm", Path.unlink),
    ("callboard.db", replace),
]


@pytest.mark.parametrize(("name", "lose"), LOSSES)
def test_nothing_is_acknowledged_that_would_be_lost(
    waiting: Home,
    name: str,
    lose: object,
) -> None:
    """Hazard 66. The next commit notices the loss, and nothing that was stored is lost."""
    lose(waiting.path / name)  # type: ignore[operator]
    with (
        Client(connection.read(waiting.path).requests, timeout=15) as client,
        pytest.raises(Exception) as refused,  # noqa: PT011 - any error but `NoAnswer`
    ):
        client.call("workflow.start", workflow="demo")
    assert not isinstance(refused.value, NoAnswer)
    words = words_at_the_end(waiting)
    assert name in words
    assert "was deleted or replaced" in words
    assert len(running_hosts(waiting.path)) == 1
    kept = next(waiting.path.glob("callboard.db.rescued-*"), None)
    if kept is not None:
        assert kept.stat().st_mode & 0o777 == 0o600
        kept.replace(waiting.path / "callboard.db")
    waiting.serve()
    assert waiting.row()["tasks"][0]["terminals"][0]["gone"] is False
    if waiting.status() == "ready":
        waiting.ok("start", "demo")
    waiting.until(lambda row: row["status"] == "completed")


def test_a_loss_is_noticed_while_nothing_is_stored(waiting: Home) -> None:
    (waiting.path / "callboard.db").unlink()
    assert "callboard.db was deleted or replaced" in words_at_the_end(waiting)


@pytest.mark.parametrize("loss", ["deleted", "emptied"])
def test_a_home_that_lost_its_database_is_refused(waiting: Home, loss: str) -> None:
    """Hazard 66."""
    waiting.kill()
    database = waiting.path / "callboard.db"
    kept = database.with_suffix(".kept")
    with closing(sqlite3.connect(database)) as each:
        each.execute("VACUUM INTO ?", (str(kept),))
    for path in waiting.path.glob("callboard.db*"):
        path.unlink()
    if loss == "emptied":
        database.touch()
    refused = waiting.run("serve")
    assert refused.returncode == 3
    assert "Traceback" not in refused.stderr
    assert f"{waiting.path} has worktrees and terminals, and no database" in refused.stderr
    assert f"down --terminals --home {waiting.path}" in refused.stderr
    examined = waiting.run("doctor")
    assert examined.returncode == 1
    assert "no database" in examined.stdout
    assert len(running_hosts(waiting.path)) == 1
    kept.replace(database)
    waiting.serve()
    assert waiting.status() == "ready"


def test_a_home_is_begun_anew_as_the_refusal_says(home: Home, repo: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder("$ sleep 100")]}))
    home.serve()
    home.ok("submit", str(plan))
    home.ok("prepare", "demo")
    home.kill()
    for path in home.path.glob("callboard.db*"):
        path.unlink()
    assert home.run("serve").returncode == 3
    home.ok("down", "--terminals")
    assert running_hosts(home.path) == []
    for name in ("worktrees", "terminals"):
        (home.path / name).rename(tmp_path / name)
    home.serve()
