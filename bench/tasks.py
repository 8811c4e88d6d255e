"""What a finished task costs: CPU of the runtime, threads and memory, as a plan grows.

Each plan has one quick terminal for each task. The runtime's worker processes and the `git` that it
runs are counted with it; the hosts and the programs are not.
"""

from pathlib import Path

from bench.company import memory_kb
from bench.plans import Office, plan_text, threads
from bench.table import Row, at_most, below
from bus.facts import TerminalMoved, WorkflowMoved
from bus.status import TerminalStatus, WorkflowStatus

IN_PARALLEL = 10


class Cost:
    """One plan from its start to its landing."""

    def __init__(self, at: Path, tasks: int) -> None:
        self.steps: list[tuple[int, float, int, int]] = []
        """After each tenth of the tasks: tasks, CPU seconds, threads, kB."""
        with Office(at) as office:
            office.submit(plan_text("many", office.repo, tasks, f"max_terminals = {IN_PARALLEL}"))
            begun = office.cpu()
            office.call("workflow.prepare", workflow="many")
            done = 0
            for fact in office.facts():
                match fact:
                    case WorkflowMoved(new=WorkflowStatus.READY):
                        office.call("workflow.start", workflow="many")
                    case WorkflowMoved(new=WorkflowStatus.COMPLETED):
                        break
                    case WorkflowMoved(new=WorkflowStatus.FAILED):
                        raise RuntimeError(fact.reason)
                    case TerminalMoved(new=TerminalStatus.COMPLETED):
                        done += 1
                        if done % (tasks // 10) == 0:
                            self._note(office, done)
            self.cpu = office.cpu() - begun
            self.each = self.cpu / tasks

    def _note(self, office: Office, done: int) -> None:
        taken = office.cpu(), threads(office.pid), memory_kb(office.pid)
        self.steps.append((done, *taken))


def run(at: Path, quick: bool) -> list[Row]:
    """Measure a small plan and a large one."""
    few, many = (30, 150) if quick else (100, 500)
    small, large = Cost(at / "few", few), Cost(at / "many", many)
    first, last = large.steps[1], large.steps[-2]
    each = (last[3] - first[3]) / (last[0] - first[0])
    more = last[2] - first[2]
    return [
        at_most(
            f"CPU of a task, in a plan of {many}",
            "ms",
            (large.each * 1e3, small.each * 1e3),
            1.2,
            f"in a plan of {few}",
        ),
        below("memory of a finished terminal", "kB", each, 10.0, f"{more} more threads"),
    ]
