"""The caps of the plan: what a workflow, a task or a terminal may use.

At 80 % a fact is told. At the cap nothing new is typed or started until a person goes on, which
grants the same amount once more: the next facts come at 180 % and at 200 %. A turn that runs may
end, or is stopped with `hard`.
"""

from collections.abc import Iterator

from actors.workflow.decisions.draft import Draft
from bus.facts import LimitReached
from bus.kinds import LimitKind
from bus.plan import Caps
from bus.rows import Task, Terminal, Workflow
from bus.status import WorkflowStatus

WARNING = 80
"""The percentage of a cap at which a fact is told."""


def counted(draft: Draft, terminal: Terminal) -> None:
    """Compare what was used with the caps of the terminal, its task and the workflow."""
    task = draft.task_of(terminal)
    if task is not None:
        asked = draft.planned(task, terminal)
        if _tell(draft, terminal, asked.limits, [terminal]):
            _hold(draft, terminal)
        planned = next(each for each in draft.plan.task if each.id == task.id)
        if _tell(draft, task, planned.limits, task.terminals):
            for each in task.terminals:
                _hold(draft, each)
    if _tell(draft, draft.workflow, draft.plan.limits, draft.terminals()):
        _pause(draft)


def _tell(
    draft: Draft, row: Workflow | Task | Terminal, caps: Caps | None, users: list[Terminal]
) -> bool:
    """Tell once that a share of a cap is used; return whether the whole of it is."""
    reached = max(_shares(caps, users), default=None) if caps is not None else None
    if reached is None:
        return False
    percent, of, used, cap = reached
    mark = percent - percent % 100 + (WARNING if percent % 100 >= WARNING else 0)
    if mark <= row.capped:
        return False
    whole = mark - mark % 100 > row.capped - row.capped % 100
    draft.set_capped(row, mark)
    draft.tell(LimitReached(address=row.address, percent=mark, of=of, used=round(used, 6), cap=cap))
    return whole


def _shares(caps: Caps, users: list[Terminal]) -> Iterator[tuple[int, str, float, float]]:
    """Yield the share of each cap in percent, its name, what was used, and the cap."""
    if caps.tokens is not None:
        used = sum(each.tokens for each in users)
        yield used * 100 // caps.tokens, "tokens", float(used), float(caps.tokens)
    if caps.cost is not None:
        cost = sum(each.cost for each in users)
        yield int(cost * 100 / caps.cost), "cost", cost, caps.cost


def _hold(draft: Draft, terminal: Terminal) -> None:
    if terminal.works:
        draft.set_terminal(terminal, limited=LimitKind.CAP, until="", account="the plan")


def _pause(draft: Draft) -> None:
    """Pause the workflow; a merge that works is left to end, and its terminal is held."""
    caps = draft.plan.limits
    if draft.workflow.status == WorkflowStatus.RUNNING:
        hard = caps is not None and caps.hard
        why = "its cap ([limits]) is reached; resume grants as much again"
        draft.move_workflow(WorkflowStatus.PAUSED, why, frozen=hard)
    elif draft.workflow.merge_terminal is not None:
        _hold(draft, draft.workflow.merge_terminal)
