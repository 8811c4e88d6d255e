"""F6: a plan whose repository hangs keeps nobody but its own asker waiting."""

import threading
from pathlib import Path

import pytest

from actors.gateway import examiner
from bus.client import Client
from bus.errors import Refused
from tests.actors.served import Served
from tests.doors.kit import done, plan_text
from tests.repositories import git, make_repo


def test_a_filter_that_hangs_ends_the_check_and_the_door_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examiner, "EXAMINE_SECONDS", 5.0)
    good, bad = make_repo(tmp_path / "good"), make_repo(tmp_path / "bad")
    begun = tmp_path / "begun"
    git(bad, "config", "filter.slow.clean", f"touch {begun}; sleep 300")
    (bad / ".git/info").mkdir(exist_ok=True)
    (bad / ".git/info/attributes").write_text("README filter=slow\n")
    (bad / "README").write_text("A sample\n")
    served = Served(tmp_path / "home")
    refused: list[Refused] = []

    def ask() -> None:
        with Client(served.at.requests) as client:
            try:
                client.call("plan.submit", plan=plan_text(bad, {"a": [done("a")]}), base="/")
            except Refused as error:
                refused.append(error)

    asking = threading.Thread(target=ask)
    try:
        asking.start()
        while not begun.exists():
            served.client.call("workflow.list")
        assert served.client.call("runtime.info")["pid"]
        assert asking.is_alive()
        asking.join(60)
        assert [(error.body.code, error.body.reason) for error in refused] == [(503, "too_long")]
        checked = served.client.call(
            "plan.check", plan=plan_text(good, {"a": [done("a")]}), base="/"
        )
        assert checked["target"] == "main"
        assert served.client.call("workflow.list") == []
    finally:
        served.close()
