"""The check of a task: its own test, before a coder's work goes to the next terminal.

A coder's `#done` or `#review` begins the check on that commit, and its program is ended, or kept.
Green does what the word asked for. Red sends the work back with the output, as a reviewer would;
both count together against `max_review_rounds`.
"""

from actors.workflow.decisions import line, outcomes
from actors.workflow.decisions.draft import Draft
from actors.workflow.decisions.words import evidence_of
from bus.commit_words import Meaning
from bus.facts import CommitRejected, CommitSeen, TaskChecked
from bus.rows import Task, Terminal
from bus.status import TaskStatus


def is_wanted(draft: Draft, task: Task) -> bool:
    """Return whether the plan names a check for the task."""
    return any(plan.id == task.id and plan.check for plan in draft.plan.task)


def begin(draft: Draft, task: Task, coder: Terminal, commit: str, *, review: bool) -> None:
    """Have the merger check a commit of the coder, whose program is ended or kept."""
    outcomes.hand_over(draft, task, coder)
    draft.set_task(task, checking=commit, check_review=review, check_run=task.check_run + 1)
    draft.explain(task, f"the check runs on commit {commit[:12]}")


def stop(draft: Draft, task: Task) -> None:
    """Forget the check of a task that has ended otherwise."""
    draft.set_task(task, checking="")


def spoken_meanwhile(fact: CommitSeen, draft: Draft, task: Task, reason: str) -> None:
    """Handle a commit that comes while the check runs.

    The coder may have amended what it handed on; its new commit is checked instead. `reason` is why
    its word does not count; "" if it does.
    """
    if not fact.problem and fact.verdict in (Meaning.NOTHING, Meaning.CHECKPOINT):
        return
    coder = line.reviewed(task)
    if coder is not None and not reason and fact.verdict in (Meaning.DONE, Meaning.REVIEW):
        begin(draft, task, coder, fact.commit, review=fact.verdict == Meaning.REVIEW)
        return
    draft.tell(
        CommitRejected(
            address=coder.address if coder else task.address,
            branch=fact.branch,
            commit=fact.commit,
            subject=fact.subject,
            reason=reason or f"the check runs on {task.checking[:12]}",
        )
    )


def checked(fact: TaskChecked, draft: Draft) -> None:
    """Go on with what the coder asked for, or send its work back."""
    task = draft.task_at(fact.address)
    coder = line.reviewed(task) if task is not None else None
    if task is None or coder is None or fact.run != task.check_run or not task.checking:
        return
    stop(draft, task)
    if not fact.passed:
        _send_back(fact, draft, task, coder)
        return
    said = f"the check passed on commit {fact.commit[:12]}"
    if task.check_review:
        draft.move_task(task, TaskStatus.REVIEW_PENDING, said)
        return
    outcomes.complete(draft, task, coder, fact.commit, said)
    draft.explain(task, said)
    if coder.gone:
        draft.set_task(task, speaker="")  # it cannot report again
    if task.status == TaskStatus.COMPLETED and task.tip not in ("", fact.commit):
        outcomes.reopen(draft, task, task.tip, f"the branch moved on while {said}")


def _send_back(fact: TaskChecked, draft: Draft, task: Task, coder: Terminal) -> None:
    how = "ran out of time" if fact.timed_out else f"ended with status {fact.status}"
    said = f"its check {how}"
    evidence = evidence_of(fact, how)
    rounds = task.rounds + 1
    again = rounds < draft.plan.max_review_rounds
    outcomes.call_back(draft, coder, said, again=again)
    draft.set_task(task, rounds=rounds)
    draft.explain(task, said)
    if not again:
        times = f"{said}; its work was sent back {rounds} times, which is the limit"
        outcomes.fail_task(draft, task, coder, times, evidence)
        return
    told = f"The check of your work failed. Mend it:\n{evidence}"
    draft.set_task(task, issues=told)
