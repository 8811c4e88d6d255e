"""What is typed to a terminal: its task, and the words it must commit with."""

import shlex

from bus.commit_words import Duty, instructions
from bus.facts import MergeTested, TaskChecked
from bus.kinds import Role
from bus.plan import Plan, TaskPlan
from bus.rows import Task, Terminal, Workflow
from bus.status import TaskStatus

CONTEXT = 6_000
"""How many characters of evidence (a screen, a test's output) go into an instruction."""

NOTHING_COUNTS = "Your turn has ended, but no commit of yours counts yet."
"""What a terminal is told first whose turn ended without a commit that counts."""

NOTHING_CHANGED = (
    "the branch has the same files as when the task began. Commit your changes; where work was "
    "stashed or committed elsewhere, bring it here. If nothing has to be changed, say why in the "
    "message of an empty commit with #review: then it is judged"
)
"""Why an empty completion is not accepted."""


def duty_of(task: Task, terminal: Terminal) -> Duty:
    """Return the duty of a task's terminal."""
    if terminal.is_error:
        return Duty.REPAIR
    if terminal.role == Role.REVIEWER:
        return Duty.REVIEW
    later = task.line[task.line.index(terminal) + 1 :]
    return Duty.CODE_FOR_REVIEW if later and later[0].role == Role.REVIEWER else Duty.CODE


def first_instruction(plan: Plan, task: Task, terminal: Terminal) -> str:
    """Return the text of a terminal's first step in this incarnation."""
    duty = duty_of(task, terminal)
    where = f"Callboard task {task.address} ({task.name}), branch {task.branch}."
    parts = [where]
    if duty is Duty.REPAIR:
        parts += ["This task failed and is to be repaired here, in its worktree.", task.issues]
        parts += ["What the task was:"]
        parts += [step.instruction for step in _plan_of(plan, task).terminal]
        parts.append(f"What was committed so far: git log {_range(task)}")
    else:
        parts.append(_plan_of(plan, task).terminal[terminal.position - 1].instruction)
        if terminal.incarnation > 1 and duty is not Duty.REVIEW:
            parts.append(_begun(task, terminal))
    if duty is Duty.REVIEW:
        asked = "asks for review" if task.status == TaskStatus.REVIEW_PENDING else "is to be judged"
        parts.append(f"The work that {asked}: git diff {_range(task)}")
    elif duty is not Duty.REPAIR:
        parts.append(task.issues)
    parts.append(instructions(duty))
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _begun(task: Task, terminal: Terminal) -> str:
    """Return what a program should know that goes on where another one stopped."""
    again = "Your program was started again, and this conversation goes on. "
    return (
        f"{again if terminal.resumed else ''}This work was begun before. Look first at what is "
        f"there: git log {_range(task)}, git status, git stash list. Go on from that."
    )


def _range(task: Task) -> str:
    """Return the range of the task's commits, as git writes it."""
    return f"{task.base[:12]}..{task.tip[:12] or task.branch}"


def refused(commit: str, reason: str) -> str:
    """Return the sentence that says why a completion was not accepted."""
    return f"Your commit {commit[:12]} was not accepted: {reason}."


def rejection(commit: str, reason: str, duty: Duty) -> str:
    """Return the text for a terminal whose completion was not accepted."""
    return f"{refused(commit, reason)}\n\n{instructions(duty)}".strip()


def waiting(commit: str, reason: str) -> str:
    """Return the text for a terminal whose completion cannot be judged yet."""
    return (
        f"Your commit {commit[:12]} is neither accepted nor rejected yet: {reason}.\n"
        "It is looked at again every few seconds. Mend the worktree; no new commit is needed."
    )


def merge_instruction(workflow: Workflow, problem: str) -> str:
    """Return the text for a terminal in the scratch worktree of the merge."""
    merge = workflow.merge
    parts = [f"Callboard workflow {workflow.address}: the merge into {workflow.target}."]
    if merge.files:
        parts.append(
            f"Merging {merge.branch} conflicts in: {', '.join(merge.files)}. The worktree "
            f"{merge.worktree} holds the conflict; resolve it so that nothing of either side "
            "is lost. To leave a change out on purpose, as when one side is taken whole, name "
            "each such file in the commit message, on a line of its own: `Dropped: FILE: REASON`."
        )
    if problem:
        parts.append(cut(problem))
    parts.append(instructions(Duty.MERGE if merge.files else Duty.REPAIR))
    return "\n\n".join(parts).strip()


def cut(text: str, limit: int = CONTEXT) -> str:
    """Return the end of a long text, with a note of how much is left out."""
    if len(text) <= limit:
        return text
    return f"[{len(text) - limit} characters left out]\n{text[-limit:]}"


def evidence_of(fact: MergeTested | TaskChecked, how: str) -> str:
    """Return how a test ended, the command that reads all of its output, and the end of that."""
    ran = f"{shlex.join(fact.command)} {how} on {fact.commit[:12]}"
    return f"{ran}; all of its output: cat {shlex.quote(fact.output)}/*\n{cut(fact.tail)}"


def _plan_of(plan: Plan, task: Task) -> TaskPlan:
    return next(each for each in plan.task if each.id == task.id)
