"""`decide`: the operations that answer one event.

An event is an observation (a fact of the journal whose class is `observed`) or a person's command.
The handlers below apply the event itself; `settle` applies what then follows from the state.
"""

from functools import singledispatch

from actors.workflow.decisions import (
    asking,  # noqa: F401 - it registers its commands
    bases,
    caps,
    changes,  # noqa: F401 - it registers its commands
    checks,
    commands,
    commits,
    limits,
    line,
    merging,
    outcomes,
    proposals,
    questions,
)
from actors.workflow.decisions.draft import Draft
from actors.workflow.decisions.settle import settle
from actors.workflow.decisions.words import duty_of
from bus import facts, requests
from bus.commit_words import Duty
from bus.facts import Fact
from bus.kinds import Ending
from bus.peer import NOBODY, By, Caller
from bus.plan import Plan
from bus.rows import Terminal, Workflow
from bus.status import TerminalStatus, WorkflowStatus
from store.change import Operation, update_workflow

_OVER = {WorkflowStatus.COMPLETED, WorkflowStatus.CANCELLED}


def decide(
    workflow: Workflow,
    plan: Plan,
    event: Fact | requests.Command,
    *,
    token: str,
    now: str,
    clock: float = 0.0,
    caller: Caller = NOBODY,
) -> list[Operation]:
    """Return the operations to store for `event`; `caller` is who asks for it.

    They move the position of the durable mailbox too, so a fact that is delivered again has no
    effect.

    Pure. Raise `Refused` for a command that this state does not allow; an observation is never
    refused.
    """
    if isinstance(event, facts.CommitSeen):
        caller = Caller(By.AGENT)
    elif isinstance(event, facts.OrchestratorAnswered):
        caller = Caller(By.ORCHESTRATOR)
    draft = Draft(workflow, plan, token=token, now=now, clock=clock, caller=caller)
    if isinstance(event, Fact):
        if event.seq <= workflow.handled:
            return []
        draft.operations.append(
            update_workflow(workflow.id, {"handled": workflow.handled}, handled=event.seq)
        )
        if workflow.status not in _OVER:
            observe(event, draft)
    else:
        commands.command(event, draft)
        questions.acted_upon(draft)
    if draft.workflow.status not in _OVER:
        settle(draft)
        questions.notice(event, workflow, draft)
        questions.open_next(draft)
    elif draft.workflow.status == WorkflowStatus.COMPLETED != workflow.status:
        questions.sum_up(draft)
    return draft.operations


@singledispatch
def observe(fact: Fact, draft: Draft) -> None:
    """Apply an observation. One without a handler changes nothing by itself."""


@observe.register
def _commit(fact: facts.CommitSeen, draft: Draft) -> None:
    commits.commit_seen(fact, draft)


@observe.register
def _commit_waits(fact: facts.CommitWaits, draft: Draft) -> None:
    commits.commit_waits(fact, draft)


@observe.register
def _rewritten(fact: facts.RefRewritten, draft: Draft) -> None:
    commits.rewritten(fact, draft)


@observe.register
def _ready(fact: facts.TerminalReady, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is not None and terminal.status == TerminalStatus.STARTING:
        draft.move_terminal(terminal, TerminalStatus.WAITING, "ready")


@observe.register
def _launch_failed(fact: facts.LaunchFailed, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is not None:
        _ended(draft, terminal, fact.reason, fact.screen)


@observe.register
def _exited(fact: facts.TerminalExited, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is None:
        return
    task = draft.task_of(terminal)
    if task is not None and task.speaker == terminal.address:
        draft.set_task(task, speaker="")  # every commit of its program was seen before its end
    if terminal.works and terminal.sent < terminal.step == fact.unsure:
        draft.tell(
            facts.InstructionUnconfirmed(
                address=terminal.address,
                incarnation=terminal.incarnation,
                step=terminal.step,
                screen=fact.screen,
            )
        )
    _ended(draft, terminal, f"{how_it_ended(fact)} without completing", fact.screen)


@observe.register
def _worktree_lost(fact: facts.WorktreeLost, draft: Draft) -> None:
    terminal = _current(draft, fact.terminal, fact.incarnation)
    if terminal is not None:
        lost = f"its worktree {fact.path} was removed; what was not committed is lost"
        _ended(draft, terminal, lost, "")


@observe.register
def _timed_out(fact: facts.TimedOut, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is not None and terminal.works:
        _fail(draft, terminal, f"worked longer than its timeout of {fact.seconds:g} s", "")


@observe.register
def _turn_without_commit(fact: facts.TurnWithoutCommit, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is None or not terminal.works or terminal.step != fact.step:
        return
    task = draft.task_of(terminal)
    if task is not None:
        outcomes.nudge(draft, terminal, fact.missing, duty_of(task, terminal))
    elif merging.is_asked_for_work(draft):
        merge = draft.workflow.merge
        outcomes.nudge(draft, terminal, fact.missing, Duty.MERGE if merge.files else Duty.REPAIR)


@observe.register
def _kept(fact: facts.TerminalKept, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is not None and terminal.kept and not fact.stopped:
        outcomes.let_go(draft, terminal, "its turn did not end, so its program is not kept")


@observe.register
def _memory_short(fact: facts.MemoryShort, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is not None and terminal.rests:
        outcomes.make_room(draft, terminal, f"the machine is short of memory: {fact.reason}")


@observe.register
def _limited(fact: facts.TerminalLimited, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is not None:
        limits.limited(fact, draft, terminal)


@observe.register
def _counted(fact: facts.UsageCounted, draft: Draft) -> None:
    terminal = draft.find(fact.address)
    if terminal is not None:
        caps.counted(draft, terminal)


@observe.register
def _limit_over(fact: facts.LimitOver, draft: Draft) -> None:
    terminal = _current(draft, fact.address, fact.incarnation)
    if terminal is not None:
        limits.over(fact, draft, terminal)


@observe.register
def _orchestrator_answered(fact: facts.OrchestratorAnswered, draft: Draft) -> None:
    proposals.answered(fact, draft)


@observe.register
def _merge_started(fact: facts.MergeStarted, draft: Draft) -> None:
    merging.started(fact, draft)


@observe.register
def _based(fact: facts.TaskBased, draft: Draft) -> None:
    bases.based(fact, draft)


@observe.register
def _checked(fact: facts.TaskChecked, draft: Draft) -> None:
    checks.checked(fact, draft)


@observe.register
def _conflict(fact: facts.MergeConflict, draft: Draft) -> None:
    merging.conflict(fact, draft)


@observe.register
def _judged(fact: facts.ResolutionJudged, draft: Draft) -> None:
    merging.judged(fact, draft)


@observe.register
def _tested(fact: facts.MergeTested, draft: Draft) -> None:
    merging.tested(fact, draft)


@observe.register
def _target_moved(fact: facts.TargetMoved, draft: Draft) -> None:
    merging.target_moved(fact, draft)


@observe.register
def _refused(fact: facts.MergeRefused, draft: Draft) -> None:
    merging.refused(fact, draft)


@observe.register
def _landed(fact: facts.MergeLanded, draft: Draft) -> None:
    merging.landed(fact, draft)


@observe.register
def _behind(fact: facts.MergeBehind, draft: Draft) -> None:
    merging.behind(fact, draft)


@observe.register
def _failing(fact: facts.ActorFailing, draft: Draft) -> None:
    """Fail the terminal or the merge that needs the failing actor; a person may try again."""
    said = f"{fact.actor} failed {fact.failures} times in a row: {fact.error}"
    terminal = draft.find(fact.address)
    if terminal is not None and terminal.shall_run and not terminal.resting:
        _ended(draft, terminal, said, "")
    elif terminal is None and fact.actor.endswith("/merger/"):
        merging.failing(said, draft)
        for task in draft.workflow.tasks:
            coder = line.reviewed(task)
            if task.checking and coder is not None:
                draft.move_terminal(coder, TerminalStatus.FAILED, said, shall_run=False)
                outcomes.fail_task(draft, task, coder, said)


def how_it_ended(fact: facts.TerminalExited) -> str:
    """Return how the program ended, in words."""
    match fact.kind:
        case Ending.EXITED:
            return f"exited with status {fact.status}"
        case Ending.SIGNALED:
            return f"was ended by signal {fact.status}"
        case _:
            return "was lost with its host process"


def _current(draft: Draft, address: str, incarnation: int) -> Terminal | None:
    """Return the terminal that a fact is about; None if the incarnation is over (hazard 9)."""
    terminal = draft.find(address)
    return terminal if terminal is not None and terminal.incarnation == incarnation else None


def _ended(draft: Draft, terminal: Terminal, reason: str, evidence: str) -> None:
    """Fail a terminal whose program is gone, unless it was to end or is kept (hazard 17)."""
    if terminal.kept:
        outcomes.let_go(draft, terminal, reason)
    elif terminal.shall_run:
        _fail(draft, terminal, reason, evidence)


def _fail(draft: Draft, terminal: Terminal, reason: str, evidence: str) -> None:
    """Fail a terminal, and the prepare, the merge or the task that needs it now.

    A terminal whose turn has not come fails alone; it is started again when its turn comes.
    """
    task = draft.task_of(terminal)
    if draft.workflow.status in (WorkflowStatus.STARTING, WorkflowStatus.READY):
        outcomes.roll_back_prepare(draft, terminal, reason, evidence)
    elif task is None:
        merging.helper_failed(draft, terminal, f"{reason}\n{evidence}".strip())
    elif line.next_in_line(task) is terminal:
        outcomes.fail_task(draft, task, terminal, reason, evidence)
    else:
        why = f"{reason}; it is started again when its turn comes"
        draft.move_terminal(terminal, TerminalStatus.FAILED, why, shall_run=False, wanted=False)
