"""Three hundred real launches: a hundred plans are prepared at once, until all are ready.

The programs are quick (`sh`), so the time is that of Callboard: worktrees, hosts, config homes, and
the quiet wait of 0.3 s, which overlaps for `IN_FLIGHT` isolated terminals. One after another they
would wait for 90 s in all. The reference is what a shell script would do for the same terminals:
`git worktree add`, then a program in a PTY.
"""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

from actors.terminal.launcher import IN_FLIGHT
from bench.plans import AGENT, Office, plan_text
from bench.table import Row
from bus.facts import WorkflowMoved
from bus.status import WorkflowStatus

TASKS = 3


def prepared(at: Path, plans: int) -> float:
    """Return the seconds from the first `prepare` until every workflow is ready."""
    with Office(at) as office, office.company.client() as client:
        for number in range(plans):
            text = plan_text(f"p{number}", office.repo, TASKS)
            client.call("plan.submit", plan=text)
        began = time.perf_counter()
        for number in range(plans):
            client.call("workflow.prepare", workflow=f"p{number}")
        ready = 0
        for fact in office.facts():
            match fact:
                case WorkflowMoved(new=WorkflowStatus.READY):
                    ready += 1
                case WorkflowMoved(new=WorkflowStatus.FAILED):
                    raise RuntimeError(fact.reason)
            if ready == plans:
                break
        return time.perf_counter() - began


def by_hand(at: Path, terminals: int) -> float:
    """Return the seconds for the same worktrees and programs without Callboard."""
    repo = at / "by-hand"
    subprocess.run(["git", "clone", "-q", str(at / "office" / "repo"), str(repo)], check=True)
    began = time.perf_counter()
    programs = []
    for number in range(terminals):
        place = str(at / "hand" / f"t{number}")
        add = ["git", "worktree", "add", "-q", "-b", f"t{number}", place, "HEAD"]
        subprocess.run(add, cwd=repo, check=True)
        master, slave = pty.openpty()
        argv = [sys.executable, "-I", "-S", "-c", _HOST, AGENT]
        programs.append(
            (subprocess.Popen(argv, cwd=place, stdin=slave, stdout=slave, stderr=slave), master)
        )
        os.close(slave)
        os.read(master, 64)
    taken = time.perf_counter() - began
    for program, master in programs:
        program.kill()
        program.wait()
        os.close(master)
    return taken


_HOST = "import os, sys; os.execvp('sh', ['sh', '-c', sys.argv[1]])"


def run(at: Path, quick: bool) -> list[Row]:
    """Measure the preparation of many plans."""
    plans = 10 if quick else 100
    terminals = plans * TASKS
    taken = prepared(at / "office", plans)
    reference = by_hand(at, terminals)
    limit = 20.0 * terminals / 300
    return [
        Row(
            f"{terminals} terminals in {plans} plans ready",
            "s",
            taken,
            reference,
            "worktrees and programs by a script",
            taken / reference,
            f"< {limit:g} s",
            taken < limit,
            f"{IN_FLIGHT} in flight",
        )
    ]
