"""What a company costs while it waits: a hundred workflows and three hundred terminals."""

import statistics
import time
from pathlib import Path

from bench.company import TASKS, Company, context_switches, cpu_seconds, memory_kb
from bench.table import Row, at_most, below


def run(at: Path, quick: bool) -> list[Row]:
    """Measure CPU time, wake-ups and memory of the runtime and the hosts."""
    workflows, span = (10, 10.0) if quick else (100, 60.0)
    terminals = workflows * TASKS
    with Company(at) as company:
        company.hire(workflows, ["cat"])
        company.serve()
        company.kill()  # so that the next one adopts the terminals
        runtime = company.serve()
        hosts = [company.program(where).host_pid for where in company.terminals]
        time.sleep(5.0)
        began, before = time.monotonic(), memory_kb(runtime)
        cpu, woken = cpu_seconds(runtime), context_switches(runtime)
        host_cpu, host_woken = sum(map(cpu_seconds, hosts)), sum(map(context_switches, hosts))
        time.sleep(span)
        took = time.monotonic() - began
        cpu = (cpu_seconds(runtime) - cpu) / took * 100
        woken = context_switches(runtime) - woken
        host_cpu = (sum(map(cpu_seconds, hosts)) - host_cpu) / took * 100
        host_woken = sum(map(context_switches, hosts)) - host_woken
        after = memory_kb(runtime)
        host = statistics.median(map(memory_kb, hosts)) / 1000
        host_own = statistics.median(memory_kb(pid, "Pss") for pid in hosts[:20]) / 1000
    note = f"{woken} wake-ups in {took:.0f} s; all {terminals} hosts: {host_woken}"
    limit = 80 + 0.1 * terminals
    return [
        below(f"idle, {terminals} terminals: CPU with hosts", "%", cpu + host_cpu, 0.5, note),
        at_most(
            "idle: memory after the minute", "MB", (after / 1000, before / 1000), 1.01, "before"
        ),
        below(f"runtime with {terminals} terminals", "MB", after / 1000, limit, "resident"),
        below("a terminal's host", "MB", host, 12.0, f"resident; {host_own:.1f} without sharing"),
    ]
