"""A workflow that has failed: what is offered to a person, and whether it can go on.

Every failure comes with an offer (`repair.offered`): what failed, the evidence, and the actions
that this state allows.
"""

from actors.workflow.decisions.draft import Draft
from actors.workflow.decisions.words import cut
from bus.action import Action, Do
from bus.facts import RepairOffered
from bus.plan import HelperPlan, Sandbox
from bus.rows import Task
from bus.status import TaskStatus, WorkflowStatus


def has_worked(draft: Draft) -> bool:
    """Return whether a terminal of the workflow was ever set to work, or a task ended."""
    workflow = draft.workflow
    at_rest = (TaskStatus.PENDING, TaskStatus.CANCELLED)
    return any(t.status not in at_rest for t in workflow.tasks) or any(
        t.working_since for t in workflow.terminals()
    )


def go_on_after_failure(draft: Draft, reason: str) -> None:
    """Let a workflow that has failed run again.

    If it has never worked, its prepare has failed and its programs are not there. Then offer to
    prepare it again.
    """
    workflow = draft.workflow
    if workflow.status != WorkflowStatus.FAILED:
        return
    if has_worked(draft):
        draft.move_workflow(WorkflowStatus.RUNNING, reason)
    elif any(task.status != TaskStatus.CANCELLED for task in workflow.tasks):
        again = Action(Do.PREPARE, workflow.address)
        offer(draft, [workflow.address], workflow.reason, [again])


def offer(draft: Draft, failed: list[str], evidence: str, actions: list[Action]) -> None:
    """Tell what failed, with the evidence and the actions that help."""
    draft.tell(
        RepairOffered(
            address=draft.workflow.address,
            failed=failed,
            evidence=cut(evidence),
            actions=[*actions, Action(Do.WHY, draft.workflow.address)],
        )
    )


def offer_task_repair(draft: Draft, failed: list[Task]) -> None:
    """Offer a retry of each task that failed or is held, or the repair of all that failed."""
    actions = [Action(Do.RETRY, task.address) for task in failed]
    if any(task.status == TaskStatus.FAILED for task in failed):
        actions.append(repair_action(draft))
    evidence = "\n".join(t.issues or t.reason for t in failed)
    offer(draft, [t.address for t in failed], evidence, actions)


def repairer(draft: Draft) -> HelperPlan:
    """Return who repairs if a person names no program: [error], or the first terminal's program."""
    return draft.plan.error or helper(draft, draft.plan.task[0].terminal[0].cli)


def helper(draft: Draft, cli: str) -> HelperPlan:
    """Return a helper that the plan has not: it has a sandbox if an agent of the plan has one."""
    sandbox: Sandbox = "worktree" if draft.plan.has_fence else "off"
    return HelperPlan(cli=cli, sandbox=sandbox, fence=draft.plan.fence)


def repair_action(draft: Draft) -> Action:
    """Return the action that repairs the workflow.

    If the plan has no [error], the action names the program that repairs.
    """
    fields = {} if draft.plan.error else {"cli": repairer(draft).cli}
    return Action(Do.REPAIR, draft.workflow.address, fields)
