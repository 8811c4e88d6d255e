"""A terminal's program is killed: the time until a subscriber has received the fact.

The reference is the least that is possible: a pidfd in an epoll, and `waitid`. Circus (which checks
every 0.1 s) and supervisor are measured too, until each tells its listener of such a death.
"""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.company import TASKS, Company
from bench.others import Circus, Supervisord
from bench.table import Row, at_most, disk, percentile, within
from bus import connection
from bus.facts import TerminalExited
from bus.subscriber import Subscriber


class Ours:
    """Waiting programs under their hosts. Each can be killed once."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.left = company.terminals[::TASKS]  # one of each workflow: its death ends the others
        served = connection.read(company.home)
        self.subscriber = Subscriber(served.feed, served.requests)
        while self.subscriber.next(1.0) is not None:
            pass

    def death(self) -> float:
        """Kill a program; return the milliseconds until its fact is received."""
        at = self.left.pop()
        pid = self.company.program(at).program_pid
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while fact := self.subscriber.next(30.0):
            if isinstance(fact, TerminalExited) and fact.address == at:
                taken = time.perf_counter() - began
                while self.subscriber.next(0.3) is not None:
                    pass
                return taken * 1e3
        raise TimeoutError(at)


def bare() -> float:
    """Kill a process; return the milliseconds until it is reaped."""
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    fd = os.pidfd_open(child.pid)
    epoll = select.epoll()
    epoll.register(fd, select.EPOLLIN)
    began = time.perf_counter()
    os.kill(child.pid, signal.SIGKILL)
    epoll.poll()
    os.waitid(os.P_PIDFD, fd, os.WEXITED)
    taken = time.perf_counter() - began
    epoll.close()
    os.close(fd)
    child.communicate()
    return taken * 1e3


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the time from a program's death to its fact."""
    deaths = 6 if quick else 21
    with Company(at) as company:
        company.hire(deaths + 1, ["cat"])
        company.serve()
        mine = Ours(company)
        mine.death()  # not counted: it starts the worker that reads screens
        taken = [(mine.death(), bare()) for _ in range(deaths)]
        mine.subscriber.close()
    medians = [percentile(column, 0.5) for column in zip(*taken, strict=True)]
    what = "program killed to fact in hand, p50"
    rows = [within(what, "ms", medians[0], medians[1], 10, "pidfd, epoll, waitid", disk(at))]
    for kind in (Circus, Supervisord):  # they wake up regularly, so not while ours is measured
        if kind.installed():
            other = kind(at)
            try:
                median = percentile([other.death() for _ in range(5)], 0.5)
            finally:
                other.close()
            rows.append(at_most(what, "ms", (medians[0], median), 1, other.name))
    return rows


if __name__ == "__main__":
    sys.exit("python -m bench --only kill")
