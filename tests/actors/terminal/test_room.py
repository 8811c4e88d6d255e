"""No program is started while memory or disk are short; then all are, in order."""

from pathlib import Path

import pytest

from actors.platform import room
from actors.terminal import launcher
from tests.actors.served import Served, facts, submit
from tests.doors.acting import terminal
from tests.doors.kit import done, plan_text
from tests.repositories import make_repo


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "AGAIN", 0.1)


@pytest.mark.parametrize(
    ("limit", "short", "wait", "words"),
    [
        ("MEMORY_RESERVE", 1 << 40, "memory", "MiB of memory are free, and 1099511627776 are"),
        ("disk_reserve", lambda _: 1 << 40, "disk", "MiB are free on the disk of"),
        ("PRESSURE", -1.0, "memory", "the machine waits for memory"),
    ],
)
def test_a_launch_waits_and_goes_on_by_itself(
    served: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    short: object,
    wait: str,
    words: str,
) -> None:
    monkeypatch.setattr(room, "memory_pressure", lambda: 0.0)
    usual = getattr(launcher, limit)
    monkeypatch.setattr(launcher, limit, short)
    name = submit(served, plan_text(make_repo(tmp_path / "repo"), {"a": [done("a")]}))
    served.until(name, lambda row: terminal(row, "a/1")["waits"] == wait)
    (told,) = facts(served, "launch.waits")
    assert (told["address"], told["for"], told["incarnation"]) == ("demo/a/1/", wait, 1)
    assert words in told["reason"]
    monkeypatch.setattr(launcher, limit, usual)
    served.until_status(name, "ready")
    assert len(facts(served, "launch.waits")) == 1
    row = served.client.call("workflow.get", workflow=name)
    assert terminal(row, "a/1")["waits"] == ""


def test_what_a_profile_needs_counts_and_nobody_overtakes(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 1000
    monkeypatch.setattr(room, "free_memory", lambda: free)
    monkeypatch.setattr(room, "memory_pressure", lambda: None)
    plan = plan_text(make_repo(tmp_path / "repo"), {"big": [done("a")], "small": [done("b")]})
    plan = plan.replace('cli = "scripted"', 'cli = "large"', 1)
    large = plan[plan.index("[cli.scripted]") : plan.index("[[task]]")]
    large = large.replace("scripted]", "large]\nmemory = 1000")
    name = submit(served, plan.replace("[[task]]", f"{large}\n[[task]]", 1))
    served.until(name, lambda row: terminal(row, "big/1")["waits"] == "memory")
    row = served.client.call("workflow.get", workflow=name)
    assert terminal(row, "small/1")["status"] in ("not_started", "starting")
    assert "1256 are needed" in facts(served, "launch.waits")[0]["reason"]
    free = 2000
    served.until_status(name, "ready")
    order = [f["address"] for f in facts(served, "terminal.ready")]
    assert order == ["demo/big/1/", "demo/small/1/"]


def test_one_that_waits_can_be_given_up(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "disk_reserve", lambda _: 1 << 40)
    name = submit(served, plan_text(make_repo(tmp_path / "repo"), {"a": [done("a")]}))
    served.until(name, lambda row: terminal(row, "a/1")["waits"] == "disk")
    served.client.call("workflow.stop", workflow=name)
    served.until(name, lambda row: terminal(row, "a/1")["gone"])
    assert facts(served, "terminal.exited")[0]["kind"] == "never_started"
