"""What happens to tasks and terminals: completion, failure, review, cancellation.

Each function takes a draft and moves it one whole step; `settle` does what follows.
"""

from actors.decisions.draft import Draft, new_helper
from actors.decisions.words import cut
from bus.address import merge_terminal, terminal
from bus.facts import RepairOffered
from bus.plan import HelperPlan
from bus.rows import Task, Terminal
from bus.status import TaskStatus, TerminalStatus, WorkflowStatus
from store.submission import helper_plan, terminal_rows

_FINAL = {TerminalStatus.COMPLETED, TerminalStatus.FAILED, TerminalStatus.CANCELLED}

MAX_REJECTIONS = 3
"""Completions of one incarnation that may be rejected; the next one fails the terminal."""


def under_review(task: Task, terminal: Terminal) -> bool:
    """The coder whose `#review` is being judged: still `running`, its program ended."""
    return (
        task.status == TaskStatus.REVIEW_PENDING
        and terminal.status == TerminalStatus.RUNNING
        and not terminal.alive
    )


def worker(task: Task) -> Terminal | None:
    """The terminal that works now: running, and wanted alive."""
    return next((t for t in task.terminals if t.status == TerminalStatus.RUNNING and t.alive), None)


def reviewed(task: Task) -> Terminal | None:
    return next((t for t in task.terminals if under_review(task, t)), None)


# ---- the good ends ---------------------------------------------------------------------


def complete(draft: Draft, task: Task, done: Terminal, reason: str) -> None:
    """`done` has completed; its task too, if nothing is left to do in it."""
    draft.move_terminal(done, TerminalStatus.COMPLETED, reason, alive=False)
    if done.name == "error":
        draft.move_task(task, TaskStatus.COMPLETED, f"repaired: {reason}")
        return
    if any(t.status != TerminalStatus.COMPLETED for t in task.line):
        if task.status == TaskStatus.REVIEW_PENDING:
            draft.move_task(task, TaskStatus.RUNNING, reason, issues="")
        return
    draft.move_task(task, TaskStatus.COMPLETED, reason)


def ask_review(draft: Draft, task: Task, coder: Terminal, reason: str) -> None:
    """The coder's program ends now, so that whoever judges has the worktree alone."""
    draft.set_terminal(coder, alive=False)
    draft.move_task(task, TaskStatus.REVIEW_PENDING, reason)


def accept(draft: Draft, task: Task, judge: Terminal | None, reason: str) -> None:
    """The work under review is accepted, by a reviewer or by a person."""
    coder = reviewed(task)
    if coder is not None:
        draft.move_terminal(coder, TerminalStatus.COMPLETED, reason)
    if judge is not None:
        complete(draft, task, judge, reason)
    elif all(t.status == TerminalStatus.COMPLETED for t in task.line):
        draft.move_task(task, TaskStatus.COMPLETED, reason)
    else:
        draft.move_task(task, TaskStatus.RUNNING, reason, issues="")


def send_back(draft: Draft, task: Task, judge: Terminal | None, issues: str) -> None:
    """The work is sent back to its coder with the issues (hazard 7: not to the judge)."""
    coder = reviewed(task) or _coder_before(task, judge)
    rounds = task.rounds + 1
    draft.set_task(task, rounds=rounds)
    if rounds >= draft.plan.max_review_rounds:
        if judge is not None:
            draft.move_terminal(judge, TerminalStatus.COMPLETED, "rejected", alive=False)
        fail_task(draft, task, coder, f"rejected in review {rounds} times: {_line(issues)}")
        return
    if task.status == TaskStatus.REVIEW_PENDING:
        draft.move_task(task, TaskStatus.RUNNING, f"rejected: {_line(issues)}", issues=issues)
    else:
        draft.set_task(task, issues=issues)
    if coder is not None:
        if coder.status == TerminalStatus.RUNNING:
            draft.move_terminal(
                coder, TerminalStatus.FAILED, f"rejected in review: {_line(issues)}", alive=False
            )
        draft.set_terminal(coder, wanted=True)
    if judge is not None:
        cancel(draft, judge, "rejected; judges again when it is mended")
        draft.set_terminal(judge, wanted=True)


def _coder_before(task: Task, judge: Terminal | None) -> Terminal | None:
    line = task.line
    before = line[: line.index(judge)] if judge in line else line
    return next((t for t in reversed(before) if t.role != "reviewer"), None)


# ---- the bad ends ----------------------------------------------------------------------


def cancel(draft: Draft, terminal: Terminal, reason: str) -> None:
    """Ends a terminal that is not at its end; takes it from the queue."""
    if terminal.status not in _FINAL:
        draft.move_terminal(terminal, TerminalStatus.CANCELLED, reason, alive=False, wanted=False)
    elif terminal.wanted:
        draft.set_terminal(terminal, wanted=False)


def fail_task(
    draft: Draft, task: Task, failed: Terminal | None, reason: str, evidence: str = ""
) -> None:
    """`failed` takes its task with it; the rest of the line is not set to work. With
    `[error]` in the plan the repair then starts by itself (`settle.repair_failed_task`)."""
    if failed is not None and failed.status in (
        TerminalStatus.STARTING,
        TerminalStatus.WAITING,
        TerminalStatus.RUNNING,
    ):
        draft.move_terminal(failed, TerminalStatus.FAILED, reason, alive=False)
    for other in task.terminals:
        if other is failed:
            continue
        if other.status == TerminalStatus.NOT_STARTED:
            draft.set_terminal(other, wanted=False)
        else:
            cancel(draft, other, f"the task failed: {_line(reason)}")
    if task.status == TaskStatus.PENDING:
        draft.move_task(task, TaskStatus.RUNNING, "its terminal was its turn")
    name = failed.address if failed else task.address
    context = f"{name} failed: {reason}" + (f"\n{cut(evidence)}" if evidence else "")
    draft.move_task(task, TaskStatus.FAILED, reason, issues=context)


def start_error_terminal(draft: Draft, task: Task, helper: HelperPlan) -> None:
    """The repair of a failed task, in its own worktree: `…/error/` is wanted."""
    where = terminal(draft.workflow.id, task.id, "error")
    if task.error is None:
        plan = helper_plan(helper, "repair the task")
        draft.insert(
            terminal_rows(where, draft.workflow.id, task.address, 0, plan),
            new_helper(where, task.address, helper.cli),
        )
    assert task.error is not None
    draft.set_terminal(task.error, wanted=True)
    draft.move_task(task, TaskStatus.RUNNING, f"repaired by {where}", repairs=task.repairs + 1)


def start_merge_terminal(draft: Draft, helper: HelperPlan, problem: str) -> None:
    """The repair of a merge: `…/merge/` is wanted in the scratch worktree. `problem` waits
    in its instruction until it is set to work."""
    where = merge_terminal(draft.workflow.id)
    if draft.workflow.merge_terminal is None:
        plan = helper_plan(helper, "resolve the merge")
        draft.insert(
            terminal_rows(where, draft.workflow.id, None, 0, plan),
            new_helper(where, "", helper.cli),
        )
    assert draft.workflow.merge_terminal is not None
    draft.set_terminal(draft.workflow.merge_terminal, wanted=True, instruction=problem)
    draft.set_merge(repairs=draft.workflow.merge.repairs + 1)


def roll_back_prepare(draft: Draft, failed: Terminal, reason: str) -> None:
    """A launch that failed ends the whole prepare: every terminal that was started is
    ended, and the workflow says which one failed and why."""
    draft.move_terminal(failed, TerminalStatus.FAILED, reason, alive=False, wanted=False)
    for other in draft.terminals():
        if other.status == TerminalStatus.NOT_STARTED:
            draft.set_terminal(other, wanted=False)
        elif other is not failed:
            cancel(draft, other, f"{failed.address} could not be started")
    draft.move_workflow(WorkflowStatus.FAILED, f"{failed.address} could not be started: {reason}")
    offer(draft, [failed.address], reason, [f"python run.py prepare {draft.workflow.id}"])


def fail_merge(draft: Draft, reason: str, evidence: str, commands: list[str]) -> None:
    """Every exit from merging is a transition (hazard 48)."""
    helper = draft.workflow.merge_terminal
    if helper is not None:
        cancel(draft, helper, reason)
    draft.move_workflow(WorkflowStatus.FAILED, reason)
    offer(draft, [draft.workflow.address], evidence, commands)


def restart_merge(draft: Draft) -> None:
    """The next build begins from the target's present tip."""
    draft.set_merge(
        round=draft.workflow.merge.round + 1,
        base="",
        commit="",
        runs=0,
        tested=False,
        waits="",
        files=[],
        branch="",
        at=draft.now,
    )


def offer_task_repair(draft: Draft, failed: list[Task]) -> None:
    commands = [f"python run.py retry {t.address.rstrip('/')}" for t in failed]
    commands.append(f"python run.py repair {draft.workflow.id}")
    evidence = "\n".join(t.issues or t.reason for t in failed)
    offer(draft, [t.address for t in failed], evidence, commands)


def offer(draft: Draft, failed: list[str], evidence: str, commands: list[str]) -> None:
    draft.tell(
        RepairOffered(
            address=draft.workflow.address,
            failed=failed,
            evidence=cut(evidence),
            commands=[*commands, f"python run.py why {draft.workflow.id}"],
        )
    )


def _line(text: str) -> str:
    """The first line, for a reason."""
    return text.strip().split("\n", 1)[0][:200]
