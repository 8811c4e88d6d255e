"""What the merger's observations do: conflict, tests, landing, and the repair of each.

`running -> merging -> completed`, and every other exit is `failed` (hazards 15, 48).
"""

from actors.decisions import outcomes
from actors.decisions.draft import Draft
from actors.decisions.words import cut
from bus import facts
from bus.commit_words import Meaning
from bus.rows import Terminal
from bus.status import TerminalStatus, WorkflowStatus


def _is_merging(draft: Draft) -> bool:
    return draft.workflow.status == WorkflowStatus.MERGING


def _commands(draft: Draft, *verbs: str) -> list[str]:
    texts = {
        "continue": f"python run.py merge {draft.workflow.id} --continue",
        "abort": f"python run.py merge {draft.workflow.id} --abort",
        "repair": f"python run.py repair {draft.workflow.id}",
    }
    return [texts[verb] for verb in verbs]


def started(fact: facts.MergeStarted, draft: Draft) -> None:
    if not _is_merging(draft):
        return
    draft.set_merge(base=fact.base, commit=fact.commit, runs=0, tested=draft.plan.test is None)


def conflict(fact: facts.MergeConflict, draft: Draft) -> None:
    """The workflow stays `merging` and waits for a resolution: from the merge terminal
    where the plan has one, else from a person."""
    if not _is_merging(draft):
        return
    draft.set_merge(
        waits="conflict",
        files=fact.files,
        branch=fact.branch,
        worktree=fact.worktree,
        start=fact.start,
        resolved="",
    )
    helper = draft.plan.merge
    if helper is not None and draft.workflow.merge.repairs < helper.attempts:
        outcomes.start_merge_terminal(draft, helper, "")
        return
    _offer_resolution(draft, f"{fact.branch} conflicts in {', '.join(fact.files)}")


def _offer_resolution(draft: Draft, evidence: str) -> None:
    merge = draft.workflow.merge
    outcomes.offer(
        draft,
        [draft.workflow.address],
        f"{evidence}\nresolve it in {merge.worktree}, commit there, then continue",
        _commands(draft, "continue", "abort"),
    )


def merge_terminal_spoke(fact: facts.CommitSeen, draft: Draft, worker: Terminal) -> None:
    """`#done`: the merger judges the result. `#fail`: it is left to a person."""
    if fact.verdict in (Meaning.DONE, Meaning.PASS):
        draft.set_merge(waits="checking", resolved=fact.commit)
    else:
        helper_failed(draft, worker, f"gave up: {fact.subject}")


def judged(fact: facts.ResolutionJudged, draft: Draft) -> None:
    """A resolution without problems is merged on; another is told to whoever made it."""
    merge = draft.workflow.merge
    if not _is_merging(draft) or merge.waits != "checking" or fact.commit != merge.resolved:
        return
    worker = draft.workflow.merge_terminal
    working = worker is not None and worker.status == TerminalStatus.RUNNING
    if not fact.problems:
        if working and worker is not None:
            draft.move_terminal(
                worker, TerminalStatus.COMPLETED, f"commit {fact.commit[:12]}", alive=False
            )
        outcomes.restart_merge(draft)
        return
    draft.set_merge(waits="conflict", resolved="")
    text = "the resolution cannot be taken:\n" + "\n".join(f"- {p}" for p in fact.problems)
    if not working or worker is None:
        _offer_resolution(draft, text)
    elif worker.rejections >= outcomes.MAX_REJECTIONS:
        helper_failed(draft, worker, text)
    else:
        draft.set_terminal(
            worker, rejections=worker.rejections + 1, step=worker.step + 1, instruction=text
        )


def helper_failed(draft: Draft, helper: Terminal, reason: str) -> None:
    """The merge terminal is at its end without a resolution."""
    if helper.live:
        draft.move_terminal(helper, TerminalStatus.FAILED, reason, alive=False)
    if not _is_merging(draft):
        return
    if draft.workflow.merge.files:
        draft.set_merge(waits="conflict", resolved="")
        _offer_resolution(draft, f"{helper.address} failed: {reason}")
    else:
        outcomes.fail_merge(
            draft,
            f"{helper.address} failed: {reason}",
            reason,
            _commands(draft, "repair", "continue"),
        )


def tested(fact: facts.MergeTested, draft: Draft) -> None:
    """Red lands nothing; a flaky test is run again as often as `test_retries` allows."""
    merge = draft.workflow.merge
    if not _is_merging(draft) or fact.commit != merge.commit:
        return
    draft.set_merge(runs=fact.run, tested=fact.passed)
    if fact.passed or fact.run <= draft.plan.test_retries:
        return
    how = "ran out of time" if fact.timed_out else f"ended with status {fact.status}"
    outcomes.fail_merge(
        draft,
        f"the tests {how} on the merged tree; nothing landed",
        f"{' '.join(fact.command)} {how} on {fact.commit[:12]}; output: {fact.output}\n"
        + cut(fact.tail),
        _commands(draft, "repair", "continue"),
    )


def target_moved(fact: facts.TargetMoved, draft: Draft) -> None:
    if _is_merging(draft):
        outcomes.restart_merge(draft)


def refused(fact: facts.MergeRefused, draft: Draft) -> None:
    if not _is_merging(draft):
        return
    files = f": {', '.join(fact.files[:20])}" if fact.files else ""
    outcomes.fail_merge(
        draft, fact.message, f"{fact.reason}{files}", _commands(draft, "continue", "abort")
    )


def landed(fact: facts.MergeLanded, draft: Draft) -> None:
    if _is_merging(draft):
        how = "tested" if fact.tested else "not tested: the plan has no test"
        draft.move_workflow(
            WorkflowStatus.COMPLETED, f"{fact.new[:12]} landed on {fact.target} ({how})"
        )
