"""Terminal output, and a commit's fact beside twenty noisy programs.

A program writes as fast as it can, through the PTY, the host and the disk to a reader. The
reference is `os.read` of a PTY.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from actors.pty.console import connect
from actors.pty.events import Output
from actors.pty.spawn import await_ready, spawn
from bench.company import ENV, Company
from bench.refs import Branch, ours
from bench.table import Row, alternate, at_least, disk, percentile
from bus import connection
from bus.status import WorkflowStatus
from bus.subscriber import Subscriber

WRITER = """
import os, sys, tty
tty.setraw(0)
left = int(sys.argv[1]) << 20
line = b"a line of output that a program writes, eighty characters wide with its end..\\r\\n" * 800
while left > 0:
    left -= os.write(1, line[:left])
"""
NOISE = """
import os, time
text = b"\\x1b[2J\\x1b[H" + b"a busy screen, drawn again and again \\r\\n" * 50
while True:
    os.write(1, text)
    time.sleep(0.05)
"""


def writer(megabytes: int) -> list[str]:
    """Return the command of a program that writes this many megabytes."""
    return [sys.executable, "-I", "-S", "-c", WRITER, str(megabytes)]


def hosted(root: Path, number: int, megabytes: int) -> float:
    """Return the MB/s between the first and the last byte that the reader receives."""
    place = root / f"host{number}"
    host = spawn(
        place,
        socket=root / f"s{number}",
        token="bench",
        incarnation=1,
        argv=["sh", "-c", 'read go; exec "$@"', "sh", *writer(megabytes)],
        env=ENV,
        cwd=root,
        rows=40,
        columns=120,
        log_bytes=(megabytes + 8) << 20,
    )
    await_ready(host, 60.0)
    console, welcome = connect(root / f"s{number}", "bench", 60.0)
    console.link.follow(welcome.end)
    console.link.type(b"go", [(b"go\n", 0)])
    end = megabytes << 20
    got, first = 0, 0.0
    while got < end:
        output = console.next(Output, 60.0)
        if got + len(output.data) > 100:  # more than the echo of "go"
            first = first or time.perf_counter()
        got += len(output.data)
    taken = time.perf_counter() - first
    console.link.close()
    host.communicate()
    return megabytes / taken


def bare(megabytes: int) -> float:
    """Return the MB/s of the same program, read with `os.read`."""
    master, slave = os.openpty()
    child = subprocess.Popen(writer(megabytes), stdin=slave, stdout=slave, start_new_session=True)
    os.close(slave)
    got = len(os.read(master, 65536))
    first = time.perf_counter()
    while got < megabytes << 20:
        got += len(os.read(master, 65536))
    taken = time.perf_counter() - first
    os.close(master)
    child.wait()
    return megabytes / taken


def beside_noise(at: Path, commits: int) -> Row:
    """Measure the time from a commit to its fact while other terminals write."""
    with Company(at / "noisy") as company:
        company.hire(7, [sys.executable, "-I", "-S", "-c", NOISE], WorkflowStatus.RUNNING)
        company.serve()
        branch = Branch(company.root / "repo0" / ".git", "refs/heads/w0/t0")
        served = connection.read(company.home)
        subscriber = Subscriber(served.feed, served.requests)
        while subscriber.next(1.0) is not None:
            pass
        taken = []
        for _ in range(commits):
            taken.append(ours(branch, subscriber))
            time.sleep(0.01)
        subscriber.close()
    p99, p50 = percentile(taken, 0.99), percentile(taken, 0.5)
    what = "commit to fact beside 21 noisy terminals, p99"
    return Row(what, "ms", p99, p50, "its median", p99 / p50, "< 50 ms", p99 < 50, disk(at))


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the output of one terminal, and a commit beside noise."""
    rounds, megabytes, commits = (3, 8, 50) if quick else (7, 32, 300)
    numbers = iter(range(1_000))
    rates = alternate(rounds, lambda: hosted(at, next(numbers), megabytes), lambda: bare(megabytes))
    return [
        at_least("terminal output: PTY, disk, reader", "MB/s", rates, 0.6, "os.read of a PTY"),
        beside_noise(at, commits),
    ]
