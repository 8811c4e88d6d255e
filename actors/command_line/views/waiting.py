"""Find what waits for a person in a workflow, and the commands that go on."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from actors.command_line.output.facts import one_line
from actors.command_line.output.program import command
from actors.command_line.output.times import duration, read, when
from bus.facts import (
    TerminalBlocked,
)
from bus.kinds import LaunchWait, LimitKind, Role
from bus.questions import Question
from bus.rows import Task, Terminal, Workflow
from bus.status import FINAL_WORKFLOW, MergeStage

Questions = Mapping[str, TerminalBlocked]
"""The newest question of each blocked terminal, by the terminal's address."""

_FIRST_STEPS = {
    "created": ("waits to be prepared", "prepare"),
    "ready": ("waits for the start", "start"),
    "paused": ("is paused", "resume"),
}
_TASKS_GO_ON = ("running", "paused")


class Wait(NamedTuple):
    """One thing that waits for a person: a sentence, and the commands to choose from.

    `address` is that of the task or terminal that it is about, "" for the whole workflow.
    """

    what: str
    commands: list[str]
    address: str = ""


def waits(workflow: Workflow, questions: Questions | None = None) -> list[Wait]:
    """Return what waits for a person, in the order of the tasks."""
    id, found = workflow.id, []
    for task in workflow.tasks:
        found += [wait._replace(address=task.address) for wait in _of_task(workflow, task)]
        found += [w for terminal in task.terminals for w in _asks(terminal, questions or {})]
    if workflow.merge_terminal is not None:
        found += _asks(workflow.merge_terminal, questions or {})
    if workflow.status in _FIRST_STEPS:
        state, step = _FIRST_STEPS[workflow.status]
        found.append(Wait(f"{id} {state}", [command(step, id)]))
    if workflow.status not in FINAL_WORKFLOW:
        found += [_to_decide(id, question) for question in workflow.questions if question.escalated]
    if workflow.status == "failed":
        steps = [*_after_failure(workflow), command("why", id)]
        found.append(Wait(f"{id} failed: {one_line(workflow.reason)}", steps))
    if workflow.held:
        steps = [command("config", step, id) for step in ("restore", "accept")]
        found.append(Wait(f"{id} lands nothing: {one_line(workflow.held)}", steps))
    elif merge_of_person(workflow):
        merge, what = workflow.merge, "landed, but for a checkout"
        steps = [command("merge", id, "--continue")]
        if merge.stage != MergeStage.CHECKOUT:
            files = one_line(", ".join(merge.files), 80) or "its branches"
            what = f"a conflict in {files}: resolve it and commit in {merge.worktree}, then go on"
            if merge.stage == MergeStage.CONFLICT and not _failed(workflow):
                steps.append(command("repair", id))  # else it repairs the tasks
        if workflow.merge.task:
            what += f" (the base of {workflow.merge.task})"
        found.append(Wait(f"{id} has {what}", steps))
    return found


def _to_decide(id: str, question: Question) -> Wait:
    """Return what the orchestrator leaves to a person. A choice is answered to its model."""
    choices = [str(each) for each in question.proposal.get("choices") or ()]
    what = f"{id} needs a decision: {one_line(str(question.proposal.get('text', '')))}"
    what += f" ({one_line(', '.join(choices))})" if choices else ""
    steps = [command("ask", id, each) for each in choices if not each.startswith("-")]
    steps += [command("why", id), command("ask", id, "--accept", str(question.number))]
    return Wait(what, steps)


def _after_failure(workflow: Workflow) -> list[str]:
    """Return the commands with which a workflow that failed can go on."""
    if failed := _failed(workflow):
        return [command("retry", task) for task in failed]
    given_up = {task.id for task in workflow.tasks if task.status == "cancelled"}
    left = [task for task in workflow.tasks if task.id not in given_up]
    stuck = [t for t in left if t.status == "pending" and (t.held or given_up & set(t.after))]
    if stuck:
        names = [task.address.rstrip("/") for task in stuck]
        return [command(step, name) for name in names for step in ("retry", "stop")]
    if all(task.status == "pending" for task in left):
        return [command("prepare", workflow.id)]
    if all(task.status == "completed" for task in left):
        again = command("merge", workflow.id, "--continue")
        return [command("repair", workflow.id), again] if workflow.merge.red else [again]
    return []


def _failed(workflow: Workflow) -> list[str]:
    return [task.address.rstrip("/") for task in workflow.tasks if task.status == "failed"]


def _of_task(workflow: Workflow, task: Task) -> list[Wait]:
    address = task.address.rstrip("/")
    if task.held and workflow.status in _TASKS_GO_ON:
        return [Wait(f"{address}: {one_line(task.held)}", [command("retry", address)])]
    if task.status == "failed" and workflow.status in _TASKS_GO_ON:
        return [Wait(f"{address} failed: {one_line(task.reason)}", [command("retry", address)])]
    at_work = ("waiting", "running", "starting")
    if task.status == "review_pending" and not any(
        t.role == Role.REVIEWER and t.status in at_work for t in task.terminals
    ):
        return [Wait(f"{address} asks for review", [command("approve", address)])]
    return []


def _asks(terminal: Terminal, questions: Questions) -> list[Wait]:
    return [wait._replace(address=terminal.address) for wait in _asked(terminal, questions)]


def _asked(terminal: Terminal, questions: Questions) -> list[Wait]:
    where = terminal.address.rstrip("/")
    if not terminal.shall_run or not terminal.live:
        return []
    if terminal.waits == LaunchWait.DISK and terminal.status == "starting":
        steps = [command("why", where), command("clean", "--dry-run")]
        return [Wait(f"{where} is not started: the disk is nearly full", steps)]
    if terminal.blocked:
        asked = questions.get(terminal.address)
        text = one_line(_question(terminal.blocked), 120)
        choices = [command("answer", where, choice) for choice in (asked.choices if asked else [])]
        if choices:
            return [Wait(f"{where} asks: {text}", choices)]
        return [Wait(f"{where} asks, without choices: {text}", _ways_on(terminal))]
    if terminal.idle:
        send = [] if terminal.waits_for_keys else [command("send", where, "TEXT")]
        steps = [command("why", where), *send, *_ways_on(terminal)]
        steps += [command("stop", terminal.task.rstrip("/"))] if terminal.task else []
        what = one_line(terminal.idle).removesuffix(".")
        return [Wait(f"{where} has stopped, and no commit counts: {what}", steps)]
    if terminal.limited and not terminal.until:
        steps = [command("send", where, "TEXT"), *_ways_on(terminal)]
        return [Wait(f"{where} cannot go on: {limit_words(terminal)}", steps)]
    if terminal.stalled:
        return [Wait(f"{where} shows nothing new for long", _ways_on(terminal))]
    return []


_LIMITS = {
    LimitKind.USAGE: "the usage limit is reached",
    LimitKind.RATE: "the rate limit is reached",
    LimitKind.OVERLOAD: "the provider fails",
    LimitKind.LOGIN: "the login or the key is refused",
    LimitKind.CREDIT: "the credit is spent",
    LimitKind.CONTEXT: "the conversation is full",
    LimitKind.CAP: "a cap of the plan is reached",
}


def limit_words(terminal: Terminal, now: datetime | None = None) -> str:
    """Return why a limited terminal waits, and until when; with `now`, for how long."""
    words = f"{_LIMITS[terminal.limited]} ({terminal.account})"
    until = read(terminal.until)
    if until is None:
        return words
    about = "about " if terminal.estimated else ""
    if terminal.retries:
        return f"{words}; it tries again by itself"
    left = duration((until - now).total_seconds()) if now is not None else ""
    return f"{words}, goes on at {about}{when(terminal.until, now)}{left and f', in {left}'}"


def countdown(terminal: Terminal, now: datetime) -> str:
    """Return for how long a limited terminal waits, and then why: for a narrow screen."""
    until = read(terminal.until)
    if until is None or terminal.retries:
        return limit_words(terminal, now)
    about = "about " if terminal.estimated else ""
    left = duration((until - now).total_seconds())
    return f"goes on in {about}{left}: {_LIMITS[terminal.limited]}"


def _ways_on(terminal: Terminal) -> list[str]:
    """Return the commands to enter a terminal and to retry it.

    The merge's terminal has no task and cannot be retried.
    """
    where = terminal.address.rstrip("/")
    again = [command("retry", where)] if terminal.task else []
    return [command("attach", where), *again]


def _question(text: str) -> str:
    """Return the first line of a prompt with a question mark, else its first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "?" in line), lines[0] if lines else "")


def merge_of_person(workflow: Workflow) -> bool:
    """Return whether the merge waits for a person.

    It does after a conflict that no merge terminal works on, if the user's checkout of the target
    cannot follow the landing, or if somebody changed the repository (`held`).
    """
    helper, stage = workflow.merge_terminal, workflow.merge.stage
    at_work = helper is not None and (helper.shall_run or helper.wanted)
    if workflow.held and workflow.status == "merging" and workflow.merge.tested:
        return True
    asks = stage == MergeStage.CHECKOUT or (stage == MergeStage.CONFLICT and not at_work)
    return workflow.merges and asks
