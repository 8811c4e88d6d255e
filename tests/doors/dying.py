"""A runtime that dies where a test wants it (tests/crash/doomed.py)."""

import os
import signal
import subprocess
from pathlib import Path

from tests.doors.kit import PYTHON, ROOT, Home
from tests.doors.working import until


def dies_at(home: Home, point: str, tmp_path: Path) -> "subprocess.Popen[bytes]":
    """A runtime that kills itself there."""
    env = {**os.environ, "DOOM": point, "DOOM_TRACE": str(tmp_path / "trace")}
    doomed = ROOT / "tests" / "crash" / "doomed.py"
    runtime = subprocess.Popen([PYTHON, str(doomed), str(home.path)], env=env)
    until((home.path / "connection.json").exists, "it serves", 60)
    return runtime


def start_and_die(home: Home, runtime: "subprocess.Popen[bytes]") -> None:
    """`start`, after which the runtime dies.

    The command may wait for its answer still, up to 45 s, and in vain.
    """
    ordered = home.begin("start", "demo")
    assert runtime.wait(60) == -signal.SIGKILL
    ordered.kill()
    ordered.wait()
