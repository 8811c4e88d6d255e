"""No program is started while memory or disk are short; then all are, in order."""

import json
import re
from pathlib import Path

import pytest

from actors.platform import room
from actors.terminal import launcher
from bus import address as addresses
from tests.actors.served import Served, facts, submit
from tests.doors.acting import terminal
from tests.doors.kit import done, plan_text
from tests.repositories import make_repo

ACCOUNT = "scripted, its own login"


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


def limit(served: Served, until: str) -> None:
    """Have the account of the scripted programs be limited."""
    values = f"'{ACCOUNT}', 'usage', '{until}', ''"
    served.sql(f'INSERT OR REPLACE INTO account (name, "by", until, probe) VALUES ({values})')


def test_a_launch_waits_for_its_account_and_holds_up_no_other(
    served: Served, tmp_path: Path
) -> None:
    limit(served, "2999-01-01T00:00:00.000000Z")
    plan = plan_text(make_repo(tmp_path / "repo"), {"a": [done("a")], "b": [done("b")]})
    other = plan[plan.index("[cli.scripted]") : plan.index("[[task]]")]
    plan = plan.replace("[[task]]", f"{other.replace('scripted]', 'other]')}\n[[task]]", 1)
    plan = 'cli = "other"'.join(plan.rsplit('cli = "scripted"', 1))
    name = submit(served, plan)
    served.until_status(name, "ready")
    row = served.client.call("workflow.get", workflow=name)
    assert (terminal(row, "a/1")["waits"], terminal(row, "a/1")["status"]) == ("limit", "starting")
    assert "1 wait to be started" in row["reason"]
    (told,) = facts(served, "launch.waits")
    assert (told["address"], told["for"]) == ("demo/a/1/", "limit")
    assert f"{ACCOUNT} is limited (usage) until 2999" in told["reason"]
    served.client.call("workflow.start", workflow=name)
    served.until(name, lambda row: row["tasks"][1]["status"] == "completed")
    limit(served, "2001-01-01T00:00:00.000000Z")
    served.until_status(name, "completed")
    assert len(facts(served, "launch.waits")) == 1


def test_no_launch_waits_where_another_provider_or_a_person_would_go_on(
    served: Served, tmp_path: Path
) -> None:
    limit(served, "2999-01-01T00:00:00.000000Z")
    plan = plan_text(make_repo(tmp_path / "repo"), {"a": [done("a") | {"limited": "ask"}]})
    served.until_status(submit(served, plan), "ready")


def test_the_programs_of_a_workflow_take_no_more_than_its_memory(
    served: Served, tmp_path: Path
) -> None:
    """The first is started, whatever it takes; the second when that has worked and ended."""
    tasks = {"a": [done("a")], "b": [done("b")]}
    tail = '[limits]\nmemory = "1MiB"'
    name = submit(served, plan_text(make_repo(tmp_path / "repo"), tasks, tail=tail))
    served.until_status(name, "ready")
    (told,) = facts(served, "launch.waits")
    assert (told["address"], told["for"]) == ("demo/b/1/", "memory")
    assert re.search(r"the programs of demo take \d+ MiB of the 1 of their cap", told["reason"])
    served.client.call("workflow.start", workflow=name)
    served.until_status(name, "completed")


def test_a_person_is_told_of_a_full_disk_which_does_not_end_by_itself(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 92."""
    told = tmp_path / "told"
    tell = json.dumps(["sh", "-c", f"cat > {told}.new && mv {told}.new {told}"])
    plan = plan_text(
        make_repo(tmp_path / "repo"), {"a": [done("a")]}, tail=f"[notify]\ncommand = {tell}"
    )
    monkeypatch.setattr(launcher, "disk_reserve", lambda _: 1 << 40)
    submit(served, plan)
    served.until_fact("notice.sent", addresses.NOTIFIER)
    assert re.match(
        r"demo/a/1/ is not started: \d+ MiB are free on the disk of ",
        json.loads(told.read_text())["text"],
    )


def test_one_that_waits_can_be_given_up(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "disk_reserve", lambda _: 1 << 40)
    name = submit(served, plan_text(make_repo(tmp_path / "repo"), {"a": [done("a")]}))
    served.until(name, lambda row: terminal(row, "a/1")["waits"] == "disk")
    served.client.call("workflow.stop", workflow=name)
    served.until(name, lambda row: terminal(row, "a/1")["gone"])
    assert facts(served, "terminal.exited")[0]["kind"] == "never_started"
