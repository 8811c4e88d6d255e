"""How many tokens the hard caps of a plan leave to a terminal."""

from collections.abc import Iterator

from actors.models.said import read_used
from actors.system.stage import Stage
from bus.kinds import LimitKind
from bus.plan import Caps, Plan, TerminalPlan
from bus.rows import Task, Terminal, Workflow
from bus.status import WorkflowStatus


def left_of(stage: Stage, plan: Plan, asked: TerminalPlan, row: Terminal) -> int | None:
    """Return the tokens that a terminal may still use; None if no hard cap holds it.

    A cap without `hard` lets a turn end that runs, and so does the gateway.
    """
    workflow = stage.reader.workflow(row.address.partition("/")[0])
    if workflow is None:
        return None
    return min(
        (
            caps.tokens * (whole.capped // 100 + (not held)) - sum(_used(stage, t) for t in users)
            for caps, whole, held, users in _caps(workflow, plan, asked, row)
            if caps is not None and caps.hard and caps.tokens is not None
        ),
        default=None,
    )


def _caps(
    workflow: Workflow, plan: Plan, asked: TerminalPlan, row: Terminal
) -> Iterator[tuple[Caps | None, Workflow | Task | Terminal, bool, list[Terminal]]]:
    """Yield each cap, its row, whether it holds the terminal now, and who uses it."""
    held = row.limited == LimitKind.CAP
    yield asked.limits, row, held, [row]
    for task in workflow.tasks:
        if task.address == row.task:
            planned = next((each for each in plan.task if each.id == task.id), None)
            yield planned.limits if planned is not None else None, task, held, task.terminals
    paused = workflow.status == WorkflowStatus.PAUSED
    yield plan.limits, workflow, paused, list(workflow.terminals())


def _used(stage: Stage, row: Terminal) -> int:
    """Return what a terminal has used, with what its newest incarnation has not told yet."""
    used = read_used(stage.paths.terminal_dir(row.address, row.incarnation))
    if used is None:
        return row.tokens
    given, made, _, _ = stage.reader.counted(row.address, row.incarnation)
    return row.tokens + max(0, used.input + used.output - given - made)
