"""Standard streams that are closed, full, or read by a program that ends."""

import subprocess
from pathlib import Path

import pytest

from bus import connection
from tests.doors.kit import PYTHON, ROOT, Home, done, plan_text

CLOSED = [">&-", "2>&-", "<&-", ">&- 2>&- <&-"]
FULL = [">/dev/full", "2>/dev/full", ">/dev/full 2>&1"]


def shell(home: Home, words: str, streams: str) -> "subprocess.CompletedProcess[str]":
    command = f"{PYTHON} {ROOT / 'run.py'} {words} --home {home.path} {streams}"
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=120, check=False
    )


def plan(repo: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(plan_text(repo, {"a": [done("a")]}, 'test = ["true"]'))
    return path


@pytest.mark.parametrize("streams", [*CLOSED, *FULL, "| true"])
def test_up_does_its_work_whatever_its_streams_are(
    home: Home, repo: Path, tmp_path: Path, streams: str
) -> None:
    said = shell(home, f"up {plan(repo, tmp_path)}", streams)
    assert "Traceback" not in said.stdout + said.stderr
    assert home.status() == "completed"
    if streams == ">/dev/full":
        assert said.returncode == 1
        assert "the output could not be written" in said.stderr
    elif streams in CLOSED:
        assert said.returncode == 0


@pytest.mark.parametrize("streams", [">&- 2>&- <&-", ">/dev/full 2>&1"])
def test_serve_serves_whatever_its_streams_are(home: Home, streams: str) -> None:
    command = f"exec {PYTHON} {ROOT / 'run.py'} serve --home {home.path} {streams}"
    with subprocess.Popen(["sh", "-c", command]) as served:
        while True:
            try:
                connection.read(home.path)
                break
            except connection.NoRuntime:
                assert served.poll() is None
        assert home.run("ps").returncode == 0
        served.terminate()
        assert served.wait(30) == 0
    database = (home.path / "callboard.db").read_bytes()
    assert database.startswith(b"SQLite format 3")


def test_what_cannot_be_printed_is_said(home: Home) -> None:
    home.serve()
    said = shell(home, "ps --json", ">/dev/full")
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "No space left on device" in said.stderr
