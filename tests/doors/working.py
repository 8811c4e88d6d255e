"""A workflow in the middle of its work, for whatever happens to it then."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.pty import records
from actors.pty.ending import running_hosts
from bus import connection
from bus.client import Client
from tests.doors.kit import Home, coder, commit, plan_text


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

    def hosts(self) -> list[records.FoundHost]:
        return running_hosts(self.home.path)

    def go(self) -> None:
        self.gate.touch()
        self.home.until(lambda row: row["status"] == "completed")


def ended(home: Home) -> tuple[int, str]:
    """Exit code and words of the runtime."""
    assert home.served is not None
    words, _ = home.served.communicate(timeout=30)
    return home.served.returncode, words
