"""What the merger's observations do: conflict, tests, landing, and the repair of each.

A workflow goes `running -> merging -> completed`; every other exit is `failed` (hazards 15, 48).
The merge terminal stays until the merge has landed or failed. It is told what is wrong with its
result (conflict markers, lost changes, red tests, the next conflict), a limited number of times.
"""

from actors.workflow.decisions import offers, outcomes
from actors.workflow.decisions.draft import Draft
from actors.workflow.decisions.words import cut, evidence_of, merge_instruction
from bus import facts
from bus.action import Action, Do
from bus.commit_words import Meaning
from bus.rows import Terminal
from bus.status import IN_LINE, MergeStage, TerminalStatus, WorkflowStatus

_ASKED = {MergeStage.CONFLICT, MergeStage.REPAIR, MergeStage.CHECKING}
"""The stages in which commits of the merge terminal count."""


def _is_landing(draft: Draft) -> bool:
    """Return whether the merge is the one that lands, not one for the base of a task."""
    return draft.workflow.status == WorkflowStatus.MERGING


def _goes_on(draft: Draft) -> bool:
    """Return whether it is the merger's turn. Otherwise its observations are out of date."""
    return draft.workflow.merges and draft.workflow.merge.stage in IN_LINE


def _continue(draft: Draft) -> Action:
    return Action(Do.CONTINUE_MERGE, draft.workflow.address)


def worker(draft: Draft) -> Terminal | None:
    """Return the merge terminal while it works; else None."""
    terminal = draft.workflow.merge_terminal
    return terminal if terminal is not None and terminal.works else None


def asked(draft: Draft) -> Terminal | None:
    """Return the merge terminal in a stage in which its commits count; else None."""
    return worker(draft) if draft.workflow.merge.stage in _ASKED else None


def is_asked_for_work(draft: Draft) -> bool:
    """Return whether the merge terminal works and has not answered yet.

    It is to resolve a conflict, or to repair a red tree.
    """
    return worker(draft) is not None and draft.workflow.merge.asks


# ---- building ----------------------------------------------------------------------------


def started(fact: facts.MergeStarted, draft: Draft) -> None:
    """Note the commit that the merger has built; it is to be tested."""
    if _is_landing(draft) and _goes_on(draft) and fact.commit != draft.workflow.merge.commit:
        draft.set_merge(
            stage=MergeStage.TESTING,
            base=fact.base,
            commit=fact.commit,
            runs=0,
            tested=draft.plan.test is None,
        )


def target_moved(fact: facts.TargetMoved, draft: Draft) -> None:
    """Build the merge again if the target has left the commit it was built on."""
    if _goes_on(draft) and fact.old == draft.workflow.merge.base:
        outcomes.restart_merge(draft, queued=draft.workflow.merge.queued)


def refused(fact: facts.MergeRefused, draft: Draft) -> None:
    """Fail a merge that the merger refused."""
    if not draft.workflow.merges:
        return
    files = f": {', '.join(fact.files[:20])}" if fact.files else ""
    outcomes.fail_merge(draft, fact.message, f"{fact.reason}{files}", [_continue(draft)])


def failing(reason: str, draft: Draft) -> None:
    """Fail a merge whose merger cannot take its next step; a person may continue it."""
    if draft.workflow.merges:
        outcomes.fail_merge(draft, reason, "", [_continue(draft)])


def landed(fact: facts.MergeLanded, draft: Draft) -> None:
    """Complete the workflow: its merge has landed."""
    if not _is_landing(draft):
        return
    helper = draft.workflow.merge_terminal
    if helper is not None and helper.status == TerminalStatus.RUNNING:
        draft.move_terminal(helper, TerminalStatus.COMPLETED, "its result landed", shall_run=False)
    elif helper is not None:
        outcomes.cancel(draft, helper, "the merge landed without it")
    draft.set_merge(stage=MergeStage.IDLE)
    how = "tested" if fact.tested else "not tested: the plan has no test"
    draft.move_workflow(
        WorkflowStatus.COMPLETED, f"{fact.new[:12]} landed on {fact.target} ({how})"
    )


def behind(fact: facts.MergeBehind, draft: Draft) -> None:
    """Wait for a person, as after a conflict: the merge has landed, but not in a checkout."""
    if not _is_landing(draft) or draft.workflow.merge.stage != MergeStage.LANDING:
        return
    draft.set_merge(stage=MergeStage.CHECKOUT, problem=fact.message)
    lines = [f"{fact.commit[:12]} has landed on {fact.target}; {fact.message}"]
    for path in fact.checkouts:
        lines.append(f"{path} is still at the commit before; git is locked there until then")
    lines.append("mend what keeps it, then continue")
    lines.append(
        "(to keep a checkout as it is: remove the files index.lock and callboard-land from its "
        "git directory, then continue)"
    )
    offers.offer(draft, [draft.workflow.address], "\n".join(lines), [_continue(draft)])


# ---- conflicts ---------------------------------------------------------------------------


def conflict(fact: facts.MergeConflict, draft: Draft) -> None:
    """Wait for a resolution by the merge terminal if the plan has one, else by a person.

    The workflow stays `merging`, or `running` if the merge is for the base of a task.
    """
    if not _goes_on(draft):
        return
    draft.set_merge(
        stage=MergeStage.CONFLICT,
        files=fact.files,
        branch=fact.branch,
        worktree=fact.worktree,
        start=fact.start,
        resolution="",
        repaired="",
    )
    helper, present = draft.plan.merge, worker(draft)
    if present is not None:
        text = merge_instruction(draft.workflow, "")
        outcomes.tell_worker(draft, present, text, rejections=0)
    elif helper is not None and draft.workflow.merge.repairs < helper.attempts:
        outcomes.start_merge_terminal(draft, helper, "")
    else:
        said = f"; the merge driver says: {fact.message}" if fact.message else ""
        _to_person(draft, f"{fact.branch} conflicts in {', '.join(fact.files)}{said}")


def merge_terminal_spoke(fact: facts.CommitSeen, draft: Draft, worker: Terminal) -> None:
    """Act on the verdict of the merge terminal.

    After `#done` the merger judges the result, each time anew, so forget what was told of the one
    before. After `#fail` the merge is left to a person.
    """
    if fact.verdict == Meaning.DONE:
        if draft.workflow.merge.files:
            draft.set_merge(stage=MergeStage.CHECKING, resolution=fact.commit, repaired="", told="")
        else:
            draft.set_merge(stage=MergeStage.CHECKING, resolution="", repaired=fact.commit, told="")
    else:
        helper_failed(draft, worker, f"gave up: {fact.subject}\n{fact.issues}".strip())


def judged(fact: facts.ResolutionJudged, draft: Draft) -> None:
    """Continue the merge with a resolution without problems; else tell its author the problems."""
    merge = draft.workflow.merge
    asked = merge.stage == MergeStage.BY_HAND or (
        merge.stage == MergeStage.CHECKING and fact.commit == merge.carried
    )
    if not draft.workflow.merges or not asked:
        return
    if not fact.problems:
        if merge.stage == MergeStage.BY_HAND:
            draft.set_merge(resolution=fact.commit, repaired="")
        outcomes.restart_merge(draft, repairs=0)
        return
    text = "the result cannot be taken:\n" + "\n".join(f"- {p}" for p in fact.problems)
    if not _tell_wrong(draft, text):
        _to_person(draft, text)


def _tell_wrong(draft: Draft, text: str) -> bool:
    """Have the merge terminal try again.

    Return False if there is none, or if it tried too often.
    """
    helper = worker(draft)
    if helper is None:
        return False
    if helper.rejections >= outcomes.MAX_REJECTIONS:
        draft.move_terminal(
            helper, TerminalStatus.FAILED, f"failed {helper.rejections + 1} times", shall_run=False
        )
        return False
    stage = MergeStage.CONFLICT if draft.workflow.merge.files else MergeStage.REPAIR
    draft.set_merge(stage=stage, resolution="", repaired="")
    outcomes.tell_worker(draft, helper, cut(text), helper.rejections + 1)
    return True


def helper_failed(draft: Draft, helper: Terminal, reason: str) -> None:
    """Handle the end of the merge terminal.

    If it has answered and nothing is asked of it, that is no failure. Otherwise the merge is left
    to a person.
    """
    spoke = not draft.workflow.merge.asks
    if spoke and helper.status == TerminalStatus.RUNNING:
        draft.move_terminal(
            helper, TerminalStatus.COMPLETED, f"has answered; {reason}", shall_run=False
        )
        return
    draft.move_terminal(helper, TerminalStatus.FAILED, outcomes.first_line(reason), shall_run=False)
    _to_person(draft, f"{helper.address} failed: {reason}")


def _to_person(draft: Draft, evidence: str) -> None:
    """Leave the merge to a person: a conflict waits in its worktree, a red tree has failed."""
    merge = draft.workflow.merge
    if merge.files:
        draft.set_merge(stage=MergeStage.CONFLICT, resolution="", repaired="")
        offers.offer(
            draft,
            [draft.workflow.address],
            f"{evidence}\nresolve it in {merge.worktree}, commit there, then continue",
            [
                _continue(draft),
                Action(Do.ABORT_MERGE, draft.workflow.address),
                Action(Do.REPAIR, draft.workflow.address),
            ],
        )
        return
    _fail_red(draft, outcomes.first_line(evidence), f"{evidence}\n{merge.problem}")


# ---- tests -------------------------------------------------------------------------------


def tested(fact: facts.MergeTested, draft: Draft) -> None:
    """Handle the result of a test run.

    A red tree does not land. A flaky test is run again as often as `test_retries` allows. Only the
    result of the run that is awaited counts.
    """
    merge = draft.workflow.merge
    if not _goes_on(draft) or (fact.commit, fact.run) != (merge.commit, merge.runs + 1):
        return
    draft.set_merge(runs=fact.run, tested=fact.passed)
    if fact.passed or fact.run <= draft.plan.test_retries:
        return
    how = "ran out of time" if fact.timed_out else f"ended with status {fact.status}"
    evidence = evidence_of(fact, how)
    reason = f"the tests {how} on the merged tree; nothing landed"
    if not _tell_wrong(draft, f"{reason}\n{evidence}"):
        _fail_red(draft, reason, evidence)


def _fail_red(draft: Draft, reason: str, evidence: str) -> None:
    actions = [offers.repair_action(draft), _continue(draft)]
    outcomes.fail_merge(draft, reason, evidence, actions)
