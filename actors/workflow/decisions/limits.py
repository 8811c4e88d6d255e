"""What follows when a terminal's model refuses it.

The policy `limited` of the plan decides: wait until the limit is over, go on with the next provider
of `fallback`, or ask a person. A conversation that is too long is shortened by the program itself,
once, and then begun anew in the same worktree. If the new one is full before it gets anywhere, a
person decides.
"""

from actors.workflow.decisions import line, outcomes
from actors.workflow.decisions.draft import Draft
from actors.workflow.decisions.words import duty_of
from bus.action import Action, Do
from bus.commit_words import Duty, instructions
from bus.errors import illegal, unknown
from bus.facts import LimitOver, TerminalLimited
from bus.kinds import OF_ACCOUNT, LimitKind
from bus.plan import TerminalPlan
from bus.reasons import Reason
from bus.rows import Task, Terminal
from bus.status import MergeStage, WorkflowStatus

_GO_ON = "What kept your model from answering is over. Go on with your task where you stopped."

_FIRST_STEPS = 2
"""The instruction, and the compaction: one that is full by then has got nowhere."""


def limited(fact: TerminalLimited, draft: Draft, terminal: Terminal) -> None:
    """Apply the policy. A program that tries again by itself is left alone."""
    if fact.retries or not terminal.works or terminal.step != fact.step:
        return
    task = draft.task_of(terminal)
    if fact.by == LimitKind.CONTEXT:
        _too_long(fact, draft, terminal, task)
    elif task is not None:
        _fall_back(fact, draft, terminal, task)


def over(fact: LimitOver, draft: Draft, terminal: Terminal) -> None:
    """Tell the terminal to go on, unless its instruction is still to be typed."""
    if not terminal.works or terminal.step != fact.step or terminal.sent < terminal.step:
        return
    _instruct(draft, terminal, f"{_GO_ON}\n\n{instructions(_duty(draft, terminal))}".strip())


def release(draft: Draft, terminal: Terminal) -> None:
    """End the wait of a terminal and of its whole account, because a person goes on."""
    if terminal.limited in OF_ACCOUNT:
        draft.free_account(terminal)


def serves(draft: Draft, worker: Terminal) -> None:
    """Tell that the account of a terminal serves again, because its work has come to an end."""
    if worker.limits and not worker.limited and worker.account:
        draft.free_account(worker)
        draft.set_terminal(worker, limits=0)


def _duty(draft: Draft, terminal: Terminal) -> Duty:
    task = draft.task_of(terminal)
    if task is not None:
        return duty_of(task, terminal)
    return Duty.REPAIR if draft.workflow.merge.stage == MergeStage.REPAIR else Duty.MERGE


def _instruct(draft: Draft, terminal: Terminal, text: str) -> None:
    draft.set_terminal(
        terminal, step=terminal.step + 1, instruction=text, limited=LimitKind.NONE, until=""
    )


def _too_long(fact: TerminalLimited, draft: Draft, terminal: Terminal, task: Task | None) -> None:
    anew = 0 < terminal.fresh == terminal.incarnation - 1  # the one before was full, too
    if fact.compact and terminal.limits <= 1:
        _instruct(draft, terminal, fact.compact)
    elif anew and terminal.step <= _FIRST_STEPS:
        return  # its instruction alone is too much
    elif task is not None and _may_start_again(draft, task, terminal):
        why = "its conversation was full; it begins a new one in the same worktree"
        draft.set_terminal(terminal, fresh=terminal.incarnation)
        outcomes.try_again(draft, terminal, why)


def _fall_back(fact: TerminalLimited, draft: Draft, terminal: Terminal, task: Task) -> None:
    """Start the terminal again with its next provider, if the policy says so and there is one."""
    asked = draft.planned(task, terminal)
    if asked.limited == "ask" or asked.limited == "wait":
        return
    if terminal.fallbacks >= len(asked.fallback) or not _may_start_again(draft, task, terminal):
        return
    why = f"{fact.account} is limited ({fact.by})"
    _go_over(draft, terminal, asked, terminal.fallbacks, why)


def _go_over(
    draft: Draft, terminal: Terminal, asked: TerminalPlan, place: int, reason: str
) -> None:
    """Start a terminal again with the provider at this place of its `fallback`."""
    name = asked.fallback[place]
    draft.use_provider(terminal, asked, name, place + 1)
    outcomes.try_again(draft, terminal, f"{reason}; it goes on with the provider {name}")


def use_provider(where: str, name: str, draft: Draft) -> None:
    """Start a terminal at work again with a provider of its `fallback` that is not used yet.

    Those before it in the list are passed over. Raise `Refused` if there is none of this name, or
    the terminal is not at work.
    """
    terminal = draft.find(where)
    task = draft.task_of(terminal) if terminal is not None else None
    if terminal is None or task is None:
        raise unknown("terminal of a task", where)
    actions = [Action(Do.WHY, where)]
    if not terminal.works or not _may_start_again(draft, task, terminal):
        said = f"{where} is not at work; only one that works goes on with another provider"
        raise illegal(Reason.NOT_LIVE, said, actions=actions)
    asked = draft.planned(task, terminal)
    left = asked.fallback[terminal.fallbacks :]
    if name not in left:
        said = f"{where} has no provider {name!r} left in `fallback`: {', '.join(left) or 'none'}"
        raise illegal(Reason.NO_SUCH_CHOICE, said, actions=actions)
    place = terminal.fallbacks + left.index(name)
    _go_over(draft, terminal, asked, place, f"asked by {draft.who}")


def _may_start_again(draft: Draft, task: Task, terminal: Terminal) -> bool:
    going = (WorkflowStatus.RUNNING, WorkflowStatus.PAUSED)
    return draft.workflow.status in going and line.worker(task) is terminal
