"""The start of the command line, and of a runtime from nothing to its first answer."""

import subprocess
import sys
import time
from pathlib import Path

from bench.company import ROOT, USERS_ENV
from bench.table import Row, alternate, at_most, below, seconds
from bus import connection
from bus.client import Client


def ran(*argv: str) -> float:
    """Return the seconds that Python takes to run with these arguments."""
    return seconds(
        lambda: subprocess.run(
            [sys.executable, *argv], stdout=subprocess.DEVNULL, check=True, env=USERS_ENV
        )
    )


def first_answer(home: Path) -> float:
    """Return the seconds from the command to the first answer, in a new or a used home."""
    began = time.perf_counter()
    served = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "serve", "--home", str(home)],
        stdout=subprocess.PIPE,
        text=True,
        env={**USERS_ENV, "PYTHONUNBUFFERED": "1"},
    )
    assert served.stdout is not None
    served.stdout.readline()
    with Client(connection.read(home).requests) as client:
        client.call("runtime.info")
        taken = time.perf_counter() - began
        client.call("runtime.stop")
    served.communicate()
    return taken


def run(at: Path, quick: bool) -> list[Row]:
    """Measure both starts."""
    rounds = 3 if quick else 7
    started, bare = alternate(
        rounds, lambda: ran(str(ROOT / "run.py"), "--help"), lambda: ran("-c", "pass")
    )
    answered, _ = alternate(rounds, lambda: first_answer(at / "home"), lambda: ran("-c", "pass"))
    return [
        at_most("run.py --help", "ms", (started * 1e3, bare * 1e3), 5, "python -c pass"),
        below("serve to first answer", "s", answered, 1.0),
    ]
