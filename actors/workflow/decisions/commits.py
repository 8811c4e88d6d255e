"""What a commit does to the state machine.

Each commit has one handler, chosen by its verdict (hazard 7). A completion that cannot be believed
is rejected, and the terminal is told the reason. Nothing is completed on a guess (hazard 6).
"""

from actors.workflow.decisions import checks, limits, line, merging, outcomes
from actors.workflow.decisions.draft import Draft
from actors.workflow.decisions.words import NOTHING_CHANGED, duty_of, refused, rejection, waiting
from bus.commit_words import Duty, Meaning
from bus.facts import CommitRejected, CommitSeen, CommitWaits, RefRewritten
from bus.kinds import Role
from bus.rows import Task, Terminal
from bus.status import TaskStatus, WorkflowStatus


def commit_seen(fact: CommitSeen, draft: Draft) -> None:
    """Handle a new commit on the branch of a task or in the worktree of the merge."""
    task = draft.task_at(fact.address)
    if task is not None:
        draft.set_task(task, tip=fact.commit)
        if task.status == TaskStatus.COMPLETED or task.reopened:
            _after_acceptance(fact, draft, task)
            return
    if not fact.problem and fact.verdict in (Meaning.NOTHING, Meaning.CHECKPOINT):
        return
    if task is not None and task.checking:
        coder = line.reviewed(task)
        checks.spoken_meanwhile(fact, draft, task, _why_not(fact, draft, task, coder))
        return
    worker = line.worker(task) if task is not None else merging.asked(draft)
    if worker is not None and _is_old_word(fact, worker):
        return
    reason = _why_not(fact, draft, task, worker)
    if reason:
        _reject(fact, draft, task, worker, reason)
        return
    assert worker is not None
    if task is not None and _is_empty_completion(fact, task, worker):
        _reject_empty(fact, draft, task, worker)
        return
    if task is None:
        merging.merge_terminal_spoke(fact, draft, worker)
    else:
        _accept(fact, draft, task, worker)


def commit_waits(fact: CommitWaits, draft: Draft) -> None:
    """Tell the terminal that its worktree cannot be examined; it may be able to correct that."""
    task = draft.task_at(fact.address)
    worker = line.worker(task) if task is not None else merging.asked(draft)
    if fact.failed and worker is not None:
        text = waiting(fact.commit, fact.reason)
        outcomes.tell_worker(draft, worker, text, worker.rejections)


def rewritten(fact: RefRewritten, draft: Draft) -> None:
    """Handle a branch that was moved, back or elsewhere, without new commits of its own."""
    task = draft.task_at(fact.address)
    if task is None:
        return
    draft.set_task(task, tip=fact.new)
    if task.status == TaskStatus.COMPLETED or task.reopened:
        _moved_on(draft, task, f"{fact.kind}: {fact.ref} is at {fact.new[:12] or 'no commit'}")


def _after_acceptance(fact: CommitSeen, draft: Draft, task: Task) -> None:
    """Handle a commit on the branch of a task that was accepted.

    The terminal whose `#done` was accepted may repeat it while its program is still there; mostly
    it amends the commit. Any other commit is judged by a person.
    """
    said = f"commit {fact.commit[:12]}: {fact.subject}"
    _moved_on(draft, task, f"{said} came after {task.accepted[:12]} was accepted")
    speaker = draft.find(task.speaker)
    again = fact.verdict in (Meaning.DONE, Meaning.PASS) and not fact.problem
    if speaker is None or not again or not task.reopened:
        return
    if not _why_not(fact, draft, task, speaker):
        outcomes.accept(draft, task, None, fact.commit, speaker.address, said)


def _moved_on(draft: Draft, task: Task, reason: str) -> None:
    """Handle a branch that has moved away from the accepted commit, or back to it.

    A merge that has begun uses the accepted commit. If it fails, a person may approve the rest.
    """
    if task.tip == task.accepted and task.reopened:
        why = f"the branch is again at {task.accepted[:12]}, which was accepted"
        outcomes.accept(draft, task, None, task.accepted, task.speaker, why)
    elif task.tip in ("", task.accepted):
        return
    elif draft.workflow.status == WorkflowStatus.MERGING:
        draft.tell(
            CommitRejected(
                address=task.address,
                branch=task.branch,
                commit=task.tip,
                reason=f"{reason}; the merge has begun without it",
            )
        )
    elif task.status == TaskStatus.COMPLETED:
        outcomes.reopen(draft, task, task.tip, reason)


def _is_old_word(fact: CommitSeen, worker: Terminal) -> bool:
    """Return whether the commit was first written before the worker was set to work.

    A rebase or an amend by the worker copies the verdicts of earlier terminals, which are not its
    own.
    """
    return bool(fact.written) and fact.written < worker.working_since[: len(fact.written)]


def _why_not(fact: CommitSeen, draft: Draft, task: Task | None, worker: Terminal | None) -> str:
    """Return why a completion is not accepted; an empty string if it is."""
    if fact.problem:
        return fact.problem
    if worker is None:
        return "no terminal works on this branch now"
    expected = {
        "workflow_id": {draft.workflow.id, draft.workflow.address},
        "task_id": {task.id, task.address} if task else {"merge"},
        "terminal_id": {worker.name, worker.address, worker.address.rstrip("/")},
    }
    for key, name in fact.names.items():
        if name not in expected[key]:
            return f"it names {key} {name!r}, but {worker.address} works on this branch"
    if task is not None and worker.role == Role.REVIEWER and fact.verdict == Meaning.REVIEW:
        return "a reviewer answers with #done or #fail"
    if worker.role != Role.REVIEWER and fact.verdict in (Meaning.PASS, Meaning.REJECT):
        return f"{fact.verdict} is the word of a reviewer, and {worker.address} is none"
    return ""


def _is_empty_completion(fact: CommitSeen, task: Task, worker: Terminal) -> bool:
    """Return whether a coder completes a task in which nothing was changed.

    Work that is lost (in a stash, on another branch) looks like that. A terminal that is not the
    last of its line may only prepare; and a review of an empty branch is somebody's judgement.
    """
    last = worker is task.error or worker is task.line[-1]
    coder = worker.role != Role.REVIEWER
    return fact.empty and fact.verdict == Meaning.DONE and coder and last


def _reject_empty(fact: CommitSeen, draft: Draft, task: Task, worker: Terminal) -> None:
    """Tell the terminal that its branch has no change, as often as the plan's `nudges` allow.

    After that its turn ends without a commit that counts, and it waits for a person.
    """
    draft.tell(_rejected(fact, worker.address, NOTHING_CHANGED))
    if worker.nudges < draft.plan.nudges:
        duty = duty_of(task, worker)
        outcomes.nudge(draft, worker, refused(fact.commit, NOTHING_CHANGED), duty)


def _rejected(fact: CommitSeen, address: str, reason: str) -> CommitRejected:
    return CommitRejected(
        address=address,
        branch=fact.branch,
        commit=fact.commit,
        subject=fact.subject,
        reason=reason,
    )


def _accept(fact: CommitSeen, draft: Draft, task: Task, worker: Terminal) -> None:
    said = f"commit {fact.commit[:12]}: {fact.subject}"
    limits.serves(draft, worker)
    match fact.verdict:
        case Meaning.DONE | Meaning.PASS if worker.role == Role.REVIEWER:
            outcomes.accept(draft, task, worker, fact.commit, worker.address, said)
        case Meaning.FAIL | Meaning.REJECT if worker.role == Role.REVIEWER:
            outcomes.send_back(draft, task, worker, fact.issues or fact.subject)
        case Meaning.DONE | Meaning.REVIEW if checks.is_wanted(draft, task):
            review = fact.verdict == Meaning.REVIEW
            checks.begin(draft, task, worker, fact.commit, review=review)
        case Meaning.DONE:
            outcomes.complete(draft, task, worker, fact.commit, said)
        case Meaning.REVIEW:
            outcomes.ask_review(draft, task, worker, said)
        case _:
            outcomes.fail_task(draft, task, worker, f"gave up: {said}", fact.issues)


def _reject(
    fact: CommitSeen, draft: Draft, task: Task | None, worker: Terminal | None, reason: str
) -> None:
    """Tell the rejection in a fact and to the terminal; fail the terminal after too many."""
    draft.tell(_rejected(fact, worker.address if worker else fact.address, reason))
    if worker is None:
        return
    if worker.rejections >= outcomes.MAX_REJECTIONS:
        why = f"its completion was rejected {worker.rejections + 1} times, last: {reason}"
        if task is None:
            merging.helper_failed(draft, worker, why)
        else:
            outcomes.fail_task(draft, task, worker, why)
        return
    duty = duty_of(task, worker) if task is not None else Duty.MERGE
    text = rejection(fact.commit, reason, duty)
    outcomes.tell_worker(draft, worker, text, worker.rejections + 1)
