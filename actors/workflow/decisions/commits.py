"""What a commit does to the state machine. One commit, one handler, chosen by what it
says (hazard 7); a completion that cannot be believed is rejected with its reason and the
terminal is told. Nothing is completed on a guess (hazard 6).
"""

from actors.workflow.decisions import line, merging, outcomes
from actors.workflow.decisions.draft import Draft
from actors.workflow.decisions.words import duty_of, rejection, waiting
from bus.commit_words import Duty, Meaning
from bus.facts import CommitRejected, CommitSeen, CommitWaits
from bus.rows import Task, Terminal


def commit_seen(fact: CommitSeen, draft: Draft) -> None:
    task = draft.task_at(fact.address)
    if task is not None:
        draft.set_task(task, tip=fact.commit)
    if not fact.problem and fact.verdict in ("", Meaning.CHECKPOINT):
        return
    worker = line.worker(task) if task is not None else merging.asked(draft)
    if worker is not None and _is_old_word(fact, worker):
        return
    reason = _why_not(fact, draft, task, worker)
    if reason:
        _reject(fact, draft, task, worker, reason)
        return
    assert worker is not None
    if task is None:
        merging.merge_terminal_spoke(fact, draft, worker)
    else:
        _accept(fact, draft, task, worker)


def commit_waits(fact: CommitWaits, draft: Draft) -> None:
    """Tell the terminal that its worktree cannot be examined: it may be the one to mend it."""
    task = draft.task_at(fact.address)
    worker = line.worker(task) if task is not None else merging.asked(draft)
    if fact.failed and worker is not None:
        text = waiting(fact.commit, fact.reason)
        outcomes.tell_worker(draft, worker, text, worker.rejections)


def _is_old_word(fact: CommitSeen, worker: Terminal) -> bool:
    """A rebase or an amend by this worker copies the words of those who worked before it:
    what was first written before it was set to work is not its own."""
    return bool(fact.written) and fact.written < worker.working_since[: len(fact.written)]


def _why_not(fact: CommitSeen, draft: Draft, task: Task | None, worker: Terminal | None) -> str:
    """Why a completion is not accepted; "" when it is."""
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
    if task is not None and worker.role == "reviewer" and fact.verdict == Meaning.REVIEW:
        return "a reviewer answers with #done or #fail"
    if worker.role != "reviewer" and fact.verdict in (Meaning.PASS, Meaning.REJECT):
        return f"{fact.verdict} is the word of a reviewer, and {worker.address} is none"
    return ""


def _accept(fact: CommitSeen, draft: Draft, task: Task, worker: Terminal) -> None:
    said = f"commit {fact.commit[:12]}: {fact.subject}"
    match fact.verdict:
        case Meaning.DONE | Meaning.PASS if worker.role == "reviewer":
            outcomes.accept(draft, task, worker, said)
        case Meaning.FAIL | Meaning.REJECT if worker.role == "reviewer":
            outcomes.send_back(draft, task, worker, fact.issues or fact.subject)
        case Meaning.DONE:
            outcomes.complete(draft, task, worker, said)
        case Meaning.REVIEW:
            outcomes.ask_review(draft, task, worker, said)
        case _:
            outcomes.fail_task(draft, task, worker, f"gave up: {said}", fact.issues)


def _reject(
    fact: CommitSeen, draft: Draft, task: Task | None, worker: Terminal | None, reason: str
) -> None:
    """Say so in a fact and to the terminal; after too many, the terminal has failed."""
    draft.tell(
        CommitRejected(
            address=worker.address if worker else fact.address,
            branch=fact.branch,
            commit=fact.commit,
            subject=fact.subject,
            reason=reason,
        )
    )
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
