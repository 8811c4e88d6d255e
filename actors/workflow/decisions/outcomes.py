"""What happens to tasks and terminals: completion, failure, review, cancellation.

Each function changes a draft by one whole step; `settle` does what follows.
"""

from typing import Unpack

from actors.workflow.decisions import line, offers
from actors.workflow.decisions.draft import Draft, new_helper
from actors.workflow.decisions.words import NOTHING_COUNTS, cut, duty_of
from bus.action import Action, Do
from bus.address import merge_terminal, terminal
from bus.commit_words import Duty, instructions
from bus.facts import TaskReopened
from bus.kinds import LimitKind
from bus.plan import HelperPlan
from bus.rows import Task, Terminal
from bus.status import MergeStage, TaskStatus, TerminalStatus, WorkflowStatus
from store.columns import MergeColumns, TaskColumns
from store.submission import helper_plan, terminal_rows

_FINAL = {TerminalStatus.COMPLETED, TerminalStatus.FAILED, TerminalStatus.CANCELLED}

MAX_REJECTIONS = 3
"""How many completions of one incarnation may be rejected; the next fails the terminal."""


# ---- the good ends ---------------------------------------------------------------------


def complete(draft: Draft, task: Task, done: Terminal, commit: str, reason: str) -> None:
    """Complete a terminal, and its task if no terminal of its line is left."""
    draft.move_terminal(done, TerminalStatus.COMPLETED, reason, shall_run=False)
    _go_on(draft, task, commit, done.address, reason)


def ask_review(draft: Draft, task: Task, coder: Terminal, reason: str) -> None:
    """Put the task under review.

    The reviewer, or a person, then has the worktree alone.
    """
    hand_over(draft, task, coder)
    draft.move_task(task, TaskStatus.REVIEW_PENDING, reason)


def hand_over(draft: Draft, task: Task, coder: Terminal) -> None:
    """Have the work of a coder judged: end its program, or keep it if the plan says so."""
    if draft.planned(task, coder).keep and coder.shall_run and not coder.gone:
        draft.set_terminal(coder, kept=True)
    else:
        draft.set_terminal(coder, shall_run=False)


def call_back(draft: Draft, coder: Terminal, reason: str, *, again: bool) -> None:
    """Have a coder mend its work, or fail it if it is not to work `again`.

    A program that was kept goes on when nobody else can write in the worktree (`go_on`); otherwise
    the coder is started again.
    """
    if not (coder.kept and again):
        draft.move_terminal(coder, TerminalStatus.FAILED, reason, shall_run=False)
        draft.set_terminal(coder, wanted=again)


def go_on(draft: Draft, task: Task, coder: Terminal) -> None:
    """Give a kept program the issues of its work, in the same conversation."""
    told = f"{task.issues}\n\n{instructions(duty_of(task, coder))}".strip()
    draft.set_terminal(
        coder, kept=False, resting=False, working_since=draft.now, working_clock=draft.clock
    )
    tell_worker(draft, coder, told, coder.rejections)


def let_go(draft: Draft, kept: Terminal, reason: str) -> None:
    """End a program that was kept. If its work was sent back already, start it again."""
    task = draft.task_of(kept)
    if task is not None and line.under_review(task, kept):
        draft.set_terminal(kept, shall_run=False)
    else:
        try_again(draft, kept, reason)


def accept(
    draft: Draft, task: Task, judge: Terminal | None, commit: str, speaker: str, reason: str
) -> None:
    """Accept the work under review at `commit`.

    `speaker` is the terminal that said so, or empty for a person. `judge` is the reviewer at work,
    if there is one.
    """
    coder = line.reviewed(task)
    for each in (coder, judge):
        if each is not None:
            draft.move_terminal(each, TerminalStatus.COMPLETED, reason, shall_run=False)
    _go_on(draft, task, commit, speaker, reason)


def _go_on(draft: Draft, task: Task, commit: str, speaker: str, reason: str) -> None:
    """Complete the task if it was repaired, or if no terminal of its line is left.

    From then on `commit` is the state of its branch that lands.
    """
    done: TaskColumns = {"accepted": commit, "speaker": speaker, "issues": ""}
    if task.error is not None and task.error.status == TerminalStatus.COMPLETED:
        draft.move_task(task, TaskStatus.COMPLETED, f"repaired: {reason}", **done)
    elif task.reopened or all(line.passed(t) for t in task.line):
        draft.move_task(task, TaskStatus.COMPLETED, reason, **done)
    elif task.status == TaskStatus.REVIEW_PENDING:
        draft.move_task(task, TaskStatus.RUNNING, reason, issues="")
    else:
        draft.set_task(task, issues="")


def reopen(draft: Draft, task: Task, commit: str, reason: str) -> None:
    """Have a person judge a branch that moved after its acceptance."""
    draft.tell(
        TaskReopened(address=task.address, accepted=task.accepted, commit=commit, reason=reason)
    )
    draft.move_task(task, TaskStatus.REVIEW_PENDING, reason)


def send_back(draft: Draft, task: Task, judge: Terminal | None, issues: str) -> None:
    """Send the work with the issues back to its coder, not to the judge (hazard 7)."""
    coder = line.reviewed(task) or (line.coder_before(task, judge) if judge else None)
    coder = coder or line.last_coder(task)
    said = f"rejected in review: {first_line(issues)}"
    rounds = task.rounds + 1
    again = rounds < draft.plan.max_review_rounds
    call_back(draft, coder, said, again=again)
    draft.set_task(task, rounds=rounds, accepted="", speaker="")
    if not again:
        times = f"rejected in review {rounds} times, which is the limit: {first_line(issues)}"
        fail_task(draft, task, coder, times, issues)
        return
    told = f"Your work was reviewed and sent back. Mend these issues:\n{cut(issues)}"
    if task.status == TaskStatus.REVIEW_PENDING:
        draft.move_task(task, TaskStatus.RUNNING, said, issues=told)
    else:
        draft.set_task(task, issues=told)
    if judge is not None:
        cancel(draft, judge, "rejected; judges again when it is mended")
        draft.set_terminal(judge, wanted=True)


# ---- the bad ends ----------------------------------------------------------------------


def cancel(draft: Draft, terminal: Terminal, reason: str) -> None:
    """End a terminal that has not ended; it is not to be launched any more."""
    if terminal.status not in _FINAL:
        draft.move_terminal(
            terminal, TerminalStatus.CANCELLED, reason, shall_run=False, wanted=False
        )
    elif terminal.wanted:
        draft.set_terminal(terminal, wanted=False)


def skip(draft: Draft, reviewer: Terminal, reason: str) -> None:
    """Pass over a reviewer in whose place a person judged (`line.passed`)."""
    if reviewer.status == TerminalStatus.CANCELLED:
        draft.set_terminal(reviewer, wanted=False)
    else:
        draft.move_terminal(
            reviewer, TerminalStatus.CANCELLED, reason, shall_run=False, wanted=False
        )


def fail_task(draft: Draft, task: Task, failed: Terminal, reason: str, evidence: str = "") -> None:
    """Fail a terminal and its task; do not set the rest of the line to work.

    With `[error]` in the plan the repair then starts by itself (`settle.repair_failed_task`).
    """
    if failed.live:
        draft.move_terminal(failed, TerminalStatus.FAILED, reason, shall_run=False)
    for other in task.terminals:
        if other is failed:
            continue
        if line.under_review(task, other):
            handed = "handed its work over to review"
            draft.move_terminal(other, TerminalStatus.COMPLETED, handed, shall_run=False)
        elif other.status == TerminalStatus.NOT_STARTED:
            draft.set_terminal(other, wanted=False)
        else:
            cancel(draft, other, f"the task failed: {first_line(reason)}")
    if task.status == TaskStatus.PENDING:
        draft.move_task(task, TaskStatus.RUNNING, f"{failed.address} had its turn")
    context = f"{failed.address} failed: {reason}" + (f"\n{cut(evidence)}" if evidence else "")
    draft.set_task(task, checking="")
    draft.move_task(task, TaskStatus.FAILED, reason, issues=context)


def start_error_terminal(draft: Draft, task: Task, helper: HelperPlan) -> None:
    """Have the error terminal (`…/error/`) repair a failed task in the task's worktree."""
    where = terminal(draft.workflow.id, task.id, "error")
    position = len(task.line) + 1
    error = _helper(draft, task.error, where, task.address, position, helper, "repair the task")
    draft.set_terminal(error, wanted=True)
    draft.move_task(task, TaskStatus.RUNNING, f"repaired by {where}", repairs=task.repairs + 1)


def start_merge_terminal(draft: Draft, helper: HelperPlan, problem: str) -> None:
    """Have the merge terminal (`…/merge/`) repair the merge in the scratch worktree.

    `problem` is kept as its instruction until it is set to work.
    """
    where = merge_terminal(draft.workflow.id)
    present = draft.workflow.merge_terminal
    merger = _helper(draft, present, where, "", 0, helper, "resolve the merge")
    draft.set_terminal(merger, wanted=True, instruction=problem)
    draft.set_merge(repairs=draft.workflow.merge.repairs + 1)


def _helper(
    draft: Draft,
    present: Terminal | None,
    where: str,
    task: str,
    position: int,
    helper: HelperPlan,
    instruction: str,
) -> Terminal:
    """Return the row of an error or merge terminal: new, or with the program named now."""
    plan = helper_plan(helper, instruction)
    if present is not None:
        draft.replan(present, plan)
        return present
    new = new_helper(where, task, position, helper.cli)
    draft.insert(terminal_rows(where, draft.workflow.id, task or None, position, plan), new)
    return new


def tell_worker(draft: Draft, worker: Terminal, text: str, rejections: int) -> None:
    """Give a further instruction to a terminal that works: `text` is typed into it."""
    draft.set_terminal(
        worker,
        rejections=rejections,
        step=worker.step + 1,
        instruction=text,
        nudges=0,
        stalled=False,
        idle="",
        limited=LimitKind.NONE,
        until="",
    )


def nudge(draft: Draft, worker: Terminal, missing: str, duty: Duty) -> None:
    """Tell a terminal whose turn has ended what is missing for its work to count."""
    text = f"{NOTHING_COUNTS} {missing}\n\n{instructions(duty)}".strip()
    draft.set_terminal(
        worker, step=worker.step + 1, instruction=text, nudges=worker.nudges + 1, idle=""
    )


def is_stuck(worker: Terminal) -> bool:
    """Whether a terminal that works waits for a person."""
    return bool(worker.idle or worker.blocked or worker.stalled or worker.limited)


def try_again(draft: Draft, worker: Terminal, reason: str) -> None:
    """End a terminal that is stuck, and start it again in the same worktree."""
    draft.move_terminal(worker, TerminalStatus.FAILED, reason, shall_run=False)
    draft.set_terminal(worker, wanted=True)


def make_room(draft: Draft, idle: Terminal, reason: str) -> None:
    """End a program that has nothing to do, and start it again when it has, and when it can be."""
    if idle.status == TerminalStatus.WAITING:
        later = f"{reason}; it is started again when its turn comes"
        draft.move_terminal(idle, TerminalStatus.FAILED, later, shall_run=False, wanted=False)
    else:
        try_again(draft, idle, f"{reason}; it is started again when there is room")


def roll_back_prepare(draft: Draft, failed: Terminal, reason: str, evidence: str) -> None:
    """Fail the prepare because the launch of `failed` failed.

    Every terminal that was started is ended. The workflow's reason says which launch failed and
    why.
    """
    draft.move_terminal(failed, TerminalStatus.FAILED, reason, shall_run=False, wanted=False)
    for other in draft.terminals():
        if other.status == TerminalStatus.NOT_STARTED:
            draft.set_terminal(other, wanted=False)
        elif other is not failed:
            cancel(draft, other, f"{failed.address} could not be started")
    draft.move_workflow(WorkflowStatus.FAILED, f"{failed.address} could not be started: {reason}")
    again = Action(Do.PREPARE, draft.workflow.address)
    offers.offer(draft, [failed.address], f"{reason}\n{evidence}".strip(), [again])


def fail_merge(draft: Draft, reason: str, evidence: str, actions: list[Action]) -> None:
    """Fail the merge and its workflow: every exit from merging is a transition (hazard 48).

    If the merge was for the base of a task, hold the task, and let the workflow go on.
    """
    task = draft.task_at(draft.workflow.merge.task)
    if task is not None:
        leave_base(draft, first_line(reason))
        draft.set_task(task, held=f"its base cannot be merged: {first_line(reason)}")
        offers.offer(
            draft, [task.address], f"{reason}\n{evidence}", [Action(Do.RETRY, task.address)]
        )
        return
    helper = draft.workflow.merge_terminal
    if helper is not None:
        cancel(draft, helper, first_line(reason))
    draft.set_merge(stage=MergeStage.IDLE, problem=cut(f"{reason}\n{evidence}"))
    draft.move_workflow(WorkflowStatus.FAILED, first_line(reason))
    offers.offer(draft, [draft.workflow.address], evidence, actions)


def restart_merge(draft: Draft, **also: Unpack[MergeColumns]) -> None:
    """Begin the next build from the target's present tip.

    The workflow goes to the end of the queue for its target, unless `queued` gives it its old
    position.
    """
    anew: MergeColumns = {
        "stage": MergeStage.BUILDING,
        "round": draft.workflow.merge.round + 1,
        "base": "",
        "commit": "",
        "commit_time": draft.now,
        "runs": 0,
        "tested": False,
        "queued": draft.now,
        "files": [],
        "branch": "",
    }
    anew.update(also)
    draft.set_merge(**anew)


def leave_base(draft: Draft, reason: str) -> None:
    """End the merge for the base of a task; the next merge begins without anything of it."""
    helper = draft.workflow.merge_terminal
    if helper is not None and helper.status == TerminalStatus.RUNNING:
        draft.move_terminal(helper, TerminalStatus.COMPLETED, reason, shall_run=False)
    elif helper is not None:
        cancel(draft, helper, reason)
    draft.set_merge(
        stage=MergeStage.IDLE,
        task="",
        base="",
        commit="",
        files=[],
        branch="",
        resolution="",
        repaired="",
        repairs=0,
    )


def first_line(text: str) -> str:
    """Return the first line of `text`, at most 200 characters, for a reason."""
    return text.strip().split("\n", 1)[0][:200]
