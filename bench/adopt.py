"""`kill -9` of a company's runtime: the time until the next one has adopted every terminal.

The reference is what cannot be avoided: the start of a process that imports the runtime and reads
the same rows. The new runtime serves when the last adoption is in the journal.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.company import TASKS, USERS_ENV, Company, cpu_seconds
from bench.table import Row, below, seconds
from bus import connection
from bus.facts import TerminalAdopted
from bus.subscriber import Subscriber

READ = """
import sys
from pathlib import Path
import actors.runtime.serve
from store.reader import Reader
reader = Reader(Path(sys.argv[1]))
for id in reader.unfinished_ids():
    reader.workflow(id)
"""


def adopted(company: Company) -> tuple[float, float]:
    """Kill the runtime and start the next, until it has adopted every terminal.

    Return the seconds since its start, and its CPU seconds.
    """
    before = head(company)
    if company.served is not None:
        company.kill()
    began = time.perf_counter()
    pid = company.serve()
    served = connection.read(company.home)
    waiting = set(company.terminals)
    subscriber = Subscriber(served.feed, served.requests, after=before)
    while waiting:
        fact = subscriber.next(60.0)
        if fact is None:
            raise TimeoutError(f"{len(waiting)} terminals are not adopted")
        if isinstance(fact, TerminalAdopted):
            waiting.discard(fact.address)
    taken = time.perf_counter() - began, cpu_seconds(pid)
    subscriber.close()
    return taken


def head(company: Company) -> int:
    """Return the seq of the runtime's newest fact; 0 if no runtime serves."""
    if company.served is None:
        return 0
    with company.client() as client:
        return int(client.call("runtime.info")["head"])


def reading(company: Company) -> float:
    """Return the seconds that a new process takes to read the rows."""
    argv = [sys.executable, "-c", READ, str(company.home / "callboard.db")]
    return seconds(lambda: subprocess.run(argv, check=True, env=USERS_ENV))


def run(at: Path, quick: bool) -> list[Row]:
    """Measure adoptions of companies of several sizes."""
    rounds = 2 if quick else 5
    sizes = (30,) if quick else (30, 99, 300)
    medians: dict[int, tuple[float, float, float]] = {}
    with Company(at) as company:
        for size in sizes:
            if company.served is not None:
                company.kill()
            company.hire((size - len(company.terminals)) // TASKS, ["cat"])
            adopted(company)
            taken = [(*adopted(company), reading(company)) for _ in range(rounds)]
            medians[size] = tuple(map(statistics.median, zip(*taken, strict=True)))
    rows = []
    for size, (wall, cpu, reference) in medians.items():
        what = f"kill -9 to {size} terminals adopted"
        row = below(what, "s", wall, 3.0, f"{cpu:.2f} s of CPU")
        rows.append(
            Row(what, "s", wall, reference, "process start and reading the rows", wall / reference,
                row.target, row.met, row.note)
        )  # fmt: skip
    if len(medians) > 1:
        small, large = medians[sizes[0]][1] / sizes[0], medians[sizes[-1]][1] / sizes[-1]
        what = f"CPU of an adoption: {sizes[-1]} against {sizes[0]}"
        rows.append(
            Row(what, "ms", large * 1e3, small * 1e3, f"of {sizes[0]}", large / small, "<= 1",
                large <= small)
        )  # fmt: skip
    return rows
