"""A thousand waiting terminals: memory, `ps`, open files, and their adoption after `kill -9`."""

import statistics
import subprocess
import sys
from pathlib import Path

from bench.adopt import adopted
from bench.company import ROOT, TASKS, USERS_ENV, Company, memory_kb
from bench.table import Row, below, seconds

WAITER = ["sh", "-c", "read -r line"]


def run(at: Path, quick: bool) -> list[Row]:
    """Measure a company of waiting terminals."""
    workflows, rounds = (34, 1) if quick else (334, 3)
    terminals = workflows * TASKS
    ps = [sys.executable, str(ROOT / "run.py"), "ps", "--home", str(at / "home")]
    with Company(at) as company:
        company.hire(workflows, WAITER)
        company.serve()
        taken = [adopted(company) for _ in range(rounds)]
        assert company.served is not None
        pid = company.served.pid
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        with company.client() as client:
            rows = client.call("workflow.list")
        waiting = sum(
            terminal["status"] == "waiting"
            for row in rows
            for task in row["tasks"]
            for terminal in task["terminals"]
        )
        if waiting != terminals:
            raise AssertionError(f"{waiting} of {terminals} wait")

        def show() -> None:
            subprocess.run(ps, check=True, env=USERS_ENV, stdout=subprocess.DEVNULL)

        shown = statistics.median(seconds(show) for _ in range(2 * rounds + 1))
        resident = memory_kb(pid) / 1000
    wall, cpu = (statistics.median(each) for each in zip(*taken, strict=True))
    what = f"{terminals:,} waiting terminals"
    return [
        below(f"kill -9 to {what} adopted", "s", wall, 6.0, f"{cpu:.2f} s of CPU"),
        below(f"{what}: runtime", "MB", resident, 200.0, f"resident; {files} open files"),
        below(f"{what}: ps", "s", shown, 0.5),
    ]
