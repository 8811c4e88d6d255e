"""What follows from the state alone, repeated until nothing more follows.

The status of tasks and workflows is derived only here (hazard 16). The rules are tried in the order
of `_RULES`; each returns whether it changed anything.
"""

from collections.abc import Callable

from actors.workflow.decisions import bases, line, offers, outcomes
from actors.workflow.decisions.draft import Draft
from actors.workflow.decisions.words import first_instruction, merge_instruction
from bus.facts import LaunchWaits
from bus.kinds import LaunchWait, LimitKind
from bus.rows import Task, Terminal, Workflow
from bus.status import (
    FINAL_TASK,
    FINAL_WORKFLOW,
    TaskStatus,
    TerminalStatus,
    WorkflowStatus,
)


def settle(draft: Draft) -> None:
    """Apply every rule until none applies. Pure. It ends because each rule moves forward."""
    while any(rule(draft) for rule in _RULES):
        pass


def set_next_to_work(draft: Draft) -> bool:
    """Give a task's next terminal its instruction.

    The terminals before it must have completed, and all their processes must be gone (hazard 36).
    One that was kept goes on in its conversation.
    """
    if not draft.is_running:
        return False
    for task in _tasks_of(draft, lambda t: t.status == TerminalStatus.WAITING or t.kept):
        terminal = line.next_in_line(task)
        if (
            terminal is not None
            and (terminal.status == TerminalStatus.WAITING or terminal.kept)
            and line.has_worktree_alone(task, terminal)
        ):
            if terminal.kept:
                outcomes.go_on(draft, task, terminal)
                return True
            if task.status == TaskStatus.PENDING:
                draft.move_task(task, TaskStatus.RUNNING, f"{terminal.address} is set to work")
            _instruct(draft, terminal, first_instruction(draft.plan, task, terminal))
            return True
    return False


def _tasks_of(draft: Draft, is_meant: Callable[[Terminal], bool]) -> list[Task]:
    """Return the tasks that have such a terminal: few of hundreds, where many rules look."""
    places = {terminal.task for terminal in draft.terminals() if is_meant(terminal)}
    return [task for task in draft.workflow.tasks if task.address in places]


def set_merge_terminal_to_work(draft: Draft) -> bool:
    """Give the merge terminal its instruction as soon as it is ready: it has only one task."""
    terminal = draft.workflow.merge_terminal
    if (
        draft.workflow.status not in (WorkflowStatus.MERGING, WorkflowStatus.RUNNING)
        or terminal is None
        or terminal.status != TerminalStatus.WAITING
    ):
        return False
    _instruct(draft, terminal, merge_instruction(draft.workflow, terminal.instruction))
    return True


def _instruct(draft: Draft, terminal: Terminal, text: str) -> None:
    draft.move_terminal(
        terminal,
        TerminalStatus.RUNNING,
        "has its instruction",
        step=1,
        instruction=text,
        working_since=draft.now,
        working_clock=draft.clock,
    )


def want_next_in_line(draft: Draft) -> bool:
    """Start a terminal again that died before its turn, now that its turn has come."""
    if not draft.is_running:
        return False
    for task in _tasks_of(draft, lambda t: not t.wanted and not t.live):
        terminal = line.next_in_line(task)
        if terminal is not None and not terminal.live and not terminal.wanted:
            draft.set_terminal(terminal, wanted=True)
            return True
    return False


def repair_failed_task(draft: Draft) -> bool:
    """Start the error terminal of a failed task, if the plan has `[error]`.

    This is done as often as `attempts` allows.
    """
    error = draft.plan.error
    if not draft.is_running or error is None:
        return False
    for task in draft.workflow.tasks:
        if task.status == TaskStatus.FAILED and task.repairs < error.attempts:
            outcomes.start_error_terminal(draft, task, error)
            return True
    return False


_LAUNCHES = (WorkflowStatus.STARTING, WorkflowStatus.RUNNING, WorkflowStatus.MERGING)


def launch_next(draft: Draft) -> bool:
    """Launch one terminal at a time, in order of (task, position), while a slot is free.

    One that waits for its account holds up no other.
    """
    if draft.workflow.status not in _LAUNCHES:
        return False
    starting = (t for t in draft.terminals() if t.status == TerminalStatus.STARTING)
    if any(t.waits != LaunchWait.LIMIT for t in starting):
        return False
    terminal = next_to_launch(draft)
    if terminal is None:
        return False
    draft.move_terminal(
        terminal,
        TerminalStatus.STARTING,
        "its turn to be started",
        incarnation=terminal.incarnation + 1,
        token=draft.token,
        wanted=False,
        shall_run=True,
        kept=False,
        resting=False,
        launch_over=False,
        waits=LaunchWait.NONE,
        gone=False,
        step=0,
        sent=0,
        delivered=0,
        blocked="",
        stalled=False,
        ended=0,
        nudges=0,
        idle="",
        limited=LimitKind.NONE,
        until="",
        limits=0,
        resumed=False,
        rejections=0,
    )
    return True


def tell_no_place(draft: Draft) -> bool:
    """Tell, once, that the first terminal of the queue waits for a slot."""
    first = _first_of_queue(draft)
    most = draft.plan.max_terminals
    if first is None or not first.gone or draft.workflow.status not in _LAUNCHES:
        return False
    if first.waits == LaunchWait.PLACE or sum(not t.gone for t in draft.terminals()) < most:
        return False
    draft.set_terminal(first, waits=LaunchWait.PLACE)
    draft.tell(
        LaunchWaits(
            address=first.address,
            incarnation=first.incarnation + 1,
            wait=LaunchWait.PLACE,
            reason=f"{most} programs run, as many as `max_terminals` allows",
        )
    )
    return True


def next_to_launch(draft: Draft) -> Terminal | None:
    """Return the first wanted terminal if it can be launched now; else None.

    One of the `max_terminals` slots must be free, and nothing may be left of its last incarnation.
    """
    taken = sum(not t.gone for t in draft.terminals())
    terminal = _first_of_queue(draft)
    if terminal is None or taken >= draft.plan.max_terminals or not terminal.gone:
        return None
    return terminal


def _first_of_queue(draft: Draft) -> Terminal | None:
    """Return the first of the wanted terminals, in order of (task, position); None if none is.

    While tasks run, those that could work at once come first, the merge terminal last of them.
    """
    wanted = [terminal for terminal in draft.terminals() if terminal.wanted]
    if draft.is_running and wanted:
        for task in _tasks_of(draft, lambda t: t.wanted):
            first = line.next_in_line(task)
            if first is not None and first.wanted:
                return first
        own = draft.workflow.merge_terminal
        if own is not None and own.wanted:
            return own
    return wanted[0] if wanted else None


def _its_turn(draft: Draft, terminal: Terminal) -> bool:
    task = draft.task_of(terminal)
    return task is None or line.next_in_line(task) is terminal


def let_kept_go(draft: Draft) -> bool:
    """End the program that was kept first if another needs its slot, or its memory.

    One in whose worktree another works stays, because it runs again while it is ended (hazard 36).
    """
    if not draft.is_running or not any(terminal.kept for terminal in draft.terminals()):
        return False
    needed_for = _lacks_room(draft)
    if needed_for is None:
        return False
    judged = [line.reviewed(task) for task in draft.workflow.tasks if line.worker(task) is None]
    kept = [terminal for terminal in judged if terminal is not None and terminal.kept]
    if not kept:
        return False
    oldest = min(kept, key=lambda t: t.working_clock)
    outcomes.let_go(draft, oldest, f"its place is needed for {needed_for.address}")
    return True


def _lacks_room(draft: Draft) -> Terminal | None:
    """Return a terminal that cannot be started until another ends; None if there is none.

    It has no slot when its turn comes, or waits for memory. While a program ends, there may soon be
    room.
    """
    alive = [t for t in draft.terminals() if not t.gone]
    if not all(t.shall_run for t in alive):
        return None
    for terminal in alive:
        if terminal.status == TerminalStatus.STARTING and terminal.waits == LaunchWait.MEMORY:
            return terminal
    first = _first_of_queue(draft)
    full = len(alive) >= draft.plan.max_terminals
    return first if first is not None and full and _its_turn(draft, first) else None


def give_up_idle_place(draft: Draft) -> bool:
    """Break a deadlock: requeue the last terminal if all slots are held by waiting ones.

    This is done if the terminal whose turn it is has no slot; otherwise all would wait for ever.
    """
    if not draft.is_running:
        return False
    alive = [t for t in draft.terminals() if not t.gone]
    if len(alive) < draft.plan.max_terminals:
        return False
    first = _first_of_queue(draft)
    if first is None or not _its_turn(draft, first):
        return False
    if any(t.status != TerminalStatus.WAITING or _its_turn(draft, t) for t in alive):
        return False
    outcomes.cancel(draft, alive[-1], "gives its place up to one that must work first")
    draft.set_terminal(alive[-1], wanted=True)
    return True


def become_ready(draft: Draft) -> bool:
    """End `starting` when every terminal that may run now is waiting.

    A launch that waits for memory, disk or an account holds up nobody if another is ready: those
    that are ready hold what it waits for, and give it back only when they have worked.
    """
    if draft.workflow.status != WorkflowStatus.STARTING:
        return False
    waiting = sum(t.status == TerminalStatus.WAITING for t in draft.terminals())
    queued = sum(t.wanted for t in draft.terminals())
    starting = [t for t in draft.terminals() if t.status == TerminalStatus.STARTING]
    held = sum(t.waits != LaunchWait.NONE for t in starting)
    if held < len(starting) or (held and not waiting):
        return False
    if queued and waiting + held < draft.plan.max_terminals:
        return False
    note = f", {queued} queue for a place" if queued else ""
    note += f", {held} wait to be started" if held else ""
    ready = "1 terminal waits" if waiting == 1 else f"{waiting} terminals wait"
    draft.move_workflow(WorkflowStatus.READY, f"{ready} for the start{note}")
    return True


def end_without_tasks(draft: Draft) -> bool:
    """Cancel a workflow whose every task was given up: there is nothing to do, mend or merge."""
    workflow = draft.workflow
    is_over = workflow.status in FINAL_WORKFLOW
    if is_over or any(t.status != TaskStatus.CANCELLED for t in workflow.tasks):
        return False
    if workflow.merge.task:
        outcomes.leave_base(draft, "the base is not wanted any more")
    draft.move_workflow(WorkflowStatus.CANCELLED, "every task was given up", frozen=False)
    return True


def end_of_tasks(draft: Draft) -> bool:
    """When every task has ended or is blocked, merge, or fail and offer what can be done."""
    workflow = draft.workflow
    if not draft.is_running:
        return False
    causes = bases.blocked(workflow)
    if not all(t.status in FINAL_TASK or t.id in causes for t in workflow.tasks):
        return False
    failed = [t for t in workflow.tasks if t.status == TaskStatus.FAILED]
    held = [t for t in workflow.tasks if t.held or (t.waits and bases.cancelled_before(draft, t))]
    if failed or held:
        names = ", ".join(t.address for t in (failed or held))
        word = "failed" if failed else "cannot begin"
        draft.move_workflow(WorkflowStatus.FAILED, f"{names} {word}")
        offers.offer_task_repair(draft, [*failed, *held])
        return True
    if not all(t.gone for t in workflow.terminals()) or any(t.speaker for t in workflow.tasks):
        return False
    draft.move_workflow(WorkflowStatus.MERGING, _all_done(workflow))
    outcomes.restart_merge(draft)
    return True


def _all_done(workflow: Workflow) -> str:
    left = [t.address for t in workflow.tasks if t.status == TaskStatus.CANCELLED]
    return "every task has completed" + (f", without {', '.join(left)}" if left else "")


_RULES: tuple[Callable[[Draft], bool], ...] = (
    set_next_to_work,
    set_merge_terminal_to_work,
    want_next_in_line,
    repair_failed_task,
    bases.begin_base,
    bases.tell_waiting,
    end_without_tasks,
    end_of_tasks,
    launch_next,
    tell_no_place,
    let_kept_go,
    give_up_idle_place,
    become_ready,
)
