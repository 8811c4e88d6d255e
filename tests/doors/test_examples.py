"""The examples are run as a user would copy them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.doors.kit import PYTHON, ROOT, Call, Home, coder, plan_text

EXAMPLES = ROOT / "examples"


def test_a_plain_subscriber_prints_the_feed(home: Home, repo: Path, tmp_path: Path) -> None:
    home.serve()
    plan = tmp_path / "plan.toml"
    plan.write_text(plan_text(repo, {"a": [coder("$ true")]}))
    subscriber = subprocess.Popen(
        [PYTHON, str(EXAMPLES / "subscribe.py"), str(home.path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert subscriber.stdout is not None

    def line() -> tuple[str, dict[str, Any]]:
        assert subscriber.stdout is not None
        address, _, body = subscriber.stdout.readline().partition(" ")
        return address, json.loads(body)

    def fact() -> tuple[str, dict[str, Any]]:
        while (shown := line())[1]["type"] == "heartbeat":
            pass
        return shown

    try:
        address, beat = line()  # it has joined: what happens from now on is shown
        assert (address, beat["type"]) == ("runtime/", "heartbeat")
        home.ok("submit", str(plan))
        shown = [fact() for _ in range(3)]
        assert [fact for _, fact in shown] == home.facts("demo")
        assert [address for address, _ in shown] == ["demo/", "demo/a/", "demo/a/1/"]
    finally:
        subscriber.kill()
        subscriber.communicate()


@pytest.mark.usefixtures("home")
def test_a_plain_subscriber_is_short() -> None:
    lines = (EXAMPLES / "subscribe.py").read_text().split('"""')[2].splitlines()
    code = [line for line in lines if line and not line.startswith(("import ", "from "))]
    assert len(code) <= 10


def test_the_plan_to_copy_is_a_plan(
    call: Call, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("claude", "mine"):
        program = tmp_path / "bin" / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    text = (EXAMPLES / "plan.toml").read_text()
    (repo / "plan.toml").write_text(text)
    assert call("check", str(repo / "plan.toml"))[0] == 0
    every = "\n".join(
        line.removeprefix("# ")
        if line.startswith(("# [", "# base", "# model", "# api", "# comm", "# ready"))
        else line
        for line in text.splitlines()
    )
    (repo / "plan.toml").write_text(every)
    code, out, err = call("check", str(repo / "plan.toml"), "--json")
    assert code == 0, err
    assert json.loads(out)["launch_order"] == ["login/1", "login/2", "i18n/1", "docs/1"]
